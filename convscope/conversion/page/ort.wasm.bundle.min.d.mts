/** What the page uses of ONNX Runtime Web, for the check of types. */

export const env: { wasm: { wasmPaths?: { wasm: string } } };

export class Tensor {
  constructor(type: "uint8", data: Uint8Array, dims: number[]);
  readonly data: ArrayLike<number | bigint>;
}

export class InferenceSession {
  static create(model: Uint8Array): Promise<InferenceSession>;
  run(feeds: Record<string, Tensor>): Promise<Record<string, Tensor>>;
}
