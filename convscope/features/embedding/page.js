"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const canvas = document.querySelector(".map canvas");
  const context = canvas.getContext("2d");
  const card = document.getElementById("card");
  let isHidden = data.classes.map(() => false);
  const sheet = new Image();
  const count = data.x.length;
  const side = data.side;
  let scale = 1,
    left = 0,
    top = 0,
    width = 0,
    height = 0,
    pixelRatio = 1;

  const HUES = [
    "#4477aa",
    "#ee6677",
    "#228833",
    "#ccaa22",
    "#55bbdd",
    "#aa3377",
    "#dd7733",
    "#7766cc",
    "#999933",
    "#777777",
  ];
  const color = (k) => HUES[k % HUES.length];
  const shape = (k) => Math.floor(k / HUES.length) % 3; // disc, square, triangle
  const isShown = (i) => !isHidden[data.labels[i]] && !(wrong.checked && data.labels[i] === data.predicted[i]);
  const thumbs = document.getElementById("thumbs");
  const wrong = document.getElementById("wrong");
  const place = (i) => [left + data.x[i] * scale, top + (1 - data.y[i]) * scale];

  function fit() {
    const box = canvas.getBoundingClientRect();
    pixelRatio = window.devicePixelRatio || 1;
    width = box.width;
    height = box.height;
    canvas.width = Math.round(width * pixelRatio);
    canvas.height = Math.round(height * pixelRatio);
    const wide = Math.max(...data.x) || 1,
      tall = Math.max(...data.y) || 1;
    scale = Math.min((width - 60) / wide, (height - 100) / tall);
    left = (width - wide * scale) / 2;
    top = (height + 40 - tall * scale) / 2 - (1 - tall) * scale;
    draw();
  }

  function mark(target, k, x, y, radius) {
    target.beginPath();
    if (shape(k) === 0) target.arc(x, y, radius, 0, 7);
    else if (shape(k) === 1) target.rect(x - radius, y - radius, 2 * radius, 2 * radius);
    else {
      target.moveTo(x, y - radius);
      target.lineTo(x + radius, y + radius);
      target.lineTo(x - radius, y + radius);
      target.closePath();
    }
  }

  function thumbnail(target, i, x, y, size) {
    const row = Math.floor(i / data.columns),
      column = i % data.columns;
    target.drawImage(sheet, column * side, row * side, side, side, x, y, size, size);
  }

  function draw() {
    context.setTransform(pixelRatio, 0, 0, pixelRatio, 0, 0);
    context.clearRect(0, 0, width, height);
    const size = Math.max(16, Math.min(48, scale / 24));
    for (let i = 0; i < count; i++) {
      if (!isShown(i)) continue;
      const [x, y] = place(i);
      if (x < -50 || y < -50 || x > width + 50 || y > height + 50) continue;
      const isWrong = data.labels[i] !== data.predicted[i];
      if (thumbs.checked && sheet.complete) {
        thumbnail(context, i, x - size / 2, y - size / 2, size);
        context.lineWidth = 2;
        context.strokeStyle = color(data.labels[i]);
        context.strokeRect(x - size / 2, y - size / 2, size, size);
      } else {
        mark(context, data.labels[i], x, y, 3.5);
        context.fillStyle = color(data.labels[i]);
        context.fill();
      }
      if (isWrong) {
        context.beginPath();
        context.arc(x, y, thumbs.checked ? size * 0.75 : 7, 0, 7);
        context.lineWidth = 2;
        context.strokeStyle = color(data.predicted[i]);
        context.stroke();
      }
    }
  }

  function nearest(x, y) {
    let best = -1,
      least = 14 * 14;
    for (let i = 0; i < count; i++) {
      if (!isShown(i)) continue;
      const [px, py] = place(i),
        away = (px - x) ** 2 + (py - y) ** 2;
      if (away < least) {
        least = away;
        best = i;
      }
    }
    return best;
  }

  function show(x, y) {
    const i = nearest(x, y);
    card.hidden = i < 0;
    if (i < 0) return;
    card.replaceChildren();
    const picture = document.createElement("canvas");
    picture.width = picture.height = 120;
    picture.getContext("2d").imageSmoothingEnabled = false;
    thumbnail(picture.getContext("2d"), i, 0, 0, 120);
    const name = document.createElement("div"),
      label = document.createElement("b");
    name.textContent = data.names[i];
    const [truth, answer] = data.truths
      ? [data.truths[i], data.answers[i]]
      : [data.classes[data.labels[i]], data.classes[data.predicted[i]]];
    label.textContent = truth;
    card.append(picture, label);
    if (truth !== answer) card.append(` predicted as ${answer}`);
    card.append(name);
    card.style.left = `${Math.max(4, Math.min(x + 14, width - 176))}px`;
    card.style.top = `${Math.max(4, Math.min(y + 14, height - card.offsetHeight - 4))}px`;
  }

  function zoom(factor, x, y) {
    left = x + (left - x) * factor;
    top = y + (top - y) * factor;
    scale *= factor;
    draw();
  }

  const pointers = new Map();
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, at(event));
    show(...at(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    const now = at(event),
      before = pointers.get(event.pointerId);
    if (!before) return show(...now);
    const others = [...pointers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    if (others.length) {
      const [x, y] = others[0],
        span = (point) => Math.hypot(point[0] - x, point[1] - y) || 1;
      zoom(span(now) / span(before), x, y);
    } else {
      left += now[0] - before[0];
      top += now[1] - before[1];
      card.hidden = true;
      draw();
    }
    pointers.set(event.pointerId, now);
  });
  for (const kind of ["pointerup", "pointercancel"])
    canvas.addEventListener(kind, (event) => pointers.delete(event.pointerId));
  canvas.addEventListener("pointerleave", () => {
    card.hidden = true;
  });
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      zoom(Math.exp(-event.deltaY / 400), ...at(event));
    },
    { passive: false },
  );
  canvas.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] };
    if (event.key === "+" || event.key === "-") zoom(event.key === "+" ? 1.25 : 0.8, width / 2, height / 2);
    else if (moves[event.key]) {
      left += moves[event.key][0];
      top += moves[event.key][1];
      draw();
    } else return;
    event.preventDefault();
  });
  document.getElementById("in").onclick = () => zoom(1.4, width / 2, height / 2);
  document.getElementById("out").onclick = () => zoom(1 / 1.4, width / 2, height / 2);
  document.getElementById("all").onclick = fit;
  thumbs.onchange = wrong.onchange = draw;

  const legend = document.getElementById("legend");
  function explain() {
    legend.replaceChildren();
    data.classes.forEach(entry);
  }
  function entry(name, k) {
    const own = data.labels.filter((label) => label === k).length;
    if (!own) return;
    const button = document.createElement("button"),
      swatch = document.createElement("canvas");
    swatch.width = swatch.height = 28;
    const target = swatch.getContext("2d");
    mark(target, k, 14, 14, 11);
    target.fillStyle = color(k);
    target.fill();
    button.append(swatch, `${name} (${own})`);
    button.setAttribute("aria-pressed", "true");
    button.onclick = () => {
      isHidden[k] = !isHidden[k];
      button.setAttribute("aria-pressed", String(!isHidden[k]));
      draw();
    };
    legend.append(button);
  }
  const chooser = document.getElementById("label");
  if (chooser)
    chooser.onchange = () => {
      Object.assign(data, data.colors[chooser.selectedIndex]);
      isHidden = data.classes.map(() => false);
      explain();
      draw();
    };
  explain();
  sheet.onload = draw;
  sheet.src = data.sheet;
  window.addEventListener("resize", fit);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  fit();
})();
