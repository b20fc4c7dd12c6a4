/** What a page of a course holds. Types only: no browser loads this. */

import type { LessonTitle } from "../lessons/types.js";

export interface CourseIndex {
  lessons: LessonTitle[];
  variants: number;
  exercises: number;
  /** Where a lesson's numbers come from, in a sentence. */
  origins: Record<string, string>;
  blobs: Record<string, number>;
}

/** What Python has computed for the translated lessons. */
export interface Baked {
  gray: Record<string, number[][]>;
  photograph: { width: number; data: Uint8Array };
  squares: Record<string, number[][]>;
  redundancy: Record<
    string,
    { shuffled: number[][]; curves: Record<string, Record<string, [number, number][]>>; effects: any }
  >;
  towers: any;
  winners: any;
  lenet5: { tables: Record<string, Record<string, any>>; connections: number[][] };
  vgg: { networks: Record<string, any>; first: any };
  training: { pictures: Record<string, number[][]>; eigenvalues: Record<string, number[]> };
}
