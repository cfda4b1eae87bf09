// A picture whose raw numbers stand under the pointer, and on which boxes can be drawn or, with a brush, strokes.
// Streamlit calls the default export again at every change of data; one Lens lives beside each root.

const lenses = new WeakMap();
const LEAST = 3; // CSS pixels that a box has to be wide and high: less is a click

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".lens");
  let lens = lenses.get(root);
  if (!lens) lenses.set(root, (lens = new Lens(root)));
  lens.update(data, setTriggerValue);
}

class Lens {
  constructor(root) {
    this.root = root;
    this.image = root.querySelector("img");
    this.canvas = root.querySelector("canvas");
    this.value = root.querySelector(".value");
    this.hint = root.querySelector(".hint");
    this.boxes = [];
    this.from = null; // where a box begins, while it is drawn
    this.stroke = null; // the points of a stroke, while it is painted
    this.canvas.addEventListener("pointermove", (event) => this.onMove(event));
    this.canvas.addEventListener("pointerdown", (event) => this.onDown(event));
    this.canvas.addEventListener("pointerup", (event) => this.onUp(event));
    this.canvas.addEventListener("pointercancel", () => this.stop());
    this.canvas.addEventListener("pointerleave", () => this.leave());
    root.querySelector(".undo").addEventListener("click", () => this.tell(this.boxes.slice(0, -1)));
    root.querySelector(".clear").addEventListener("click", () => this.tell([]));
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  update(data, send) {
    this.send = send;
    if (data.picture !== this.data?.picture) this.image.src = data.picture;
    if (data.values !== this.data?.values) this.fetch(data.values);
    this.data = data;
    this.image.alt = data.alt;
    this.image.style.aspectRatio = `${data.width} / ${data.height}`;
    this.root.classList.toggle("covering", data.covering);
    this.hint.textContent = data.covering ? data.hint : "Raw numbers stand under the pointer.";
    this.boxes = data.boxes;
    this.root.querySelectorAll("button").forEach((button, k) => {
      button.textContent = data.buttons[k] ?? "";
      button.disabled = !data.boxes.length || !data.buttons[k];
    });
    this.draw();
  }

  async fetch(address) {
    this.numbers = null;
    const answer = await fetch(address);
    if (!answer.ok) return;
    const numbers = new Float32Array(await answer.arrayBuffer());
    if (address === this.data.values) this.numbers = numbers;
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const { width, height } = this.data;
    const within = (value, size) => Math.min(Math.max(value, 0), size);
    return [
      within(((event.clientY - box.top) / box.height) * height, height),
      within(((event.clientX - box.left) / box.width) * width, width),
    ];
  }

  onMove(event) {
    const [y, x] = this.place(event);
    if (this.from) this.to = [y, x];
    if (this.stroke && Math.hypot(...this.stroke.at(-1).map((one, k) => one - [y, x][k])) > this.data.brush / 4)
      this.stroke.push([y, x]);
    this.at = [y, x];
    if (this.from || this.data.brush) this.draw();
    const { width, height } = this.data;
    const row = Math.min(Math.floor(y), height - 1);
    const column = Math.min(Math.floor(x), width - 1);
    const number = this.numbers?.[row * width + column];
    this.value.hidden = number === undefined;
    if (this.value.hidden) return;
    this.value.textContent = `${column}, ${row}: ${Number(number.toPrecision(4))}`;
    const right = x > width / 2;
    this.value.style.left = right ? "" : `calc(${(x / width) * 100}% + 12px)`;
    this.value.style.right = right ? `calc(${(1 - x / width) * 100}% + 12px)` : "";
    this.value.style.top = `${Math.min((y / height) * 100, 90)}%`;
  }

  onDown(event) {
    if (!this.data.covering || event.button) return;
    this.canvas.setPointerCapture(event.pointerId);
    if (this.data.brush) this.stroke = [this.place(event)];
    else this.from = this.to = this.place(event);
    this.draw();
  }

  onUp(event) {
    if (this.stroke) {
      this.send("stroke", [...this.stroke, this.place(event)]);
      this.stop();
    }
    if (!this.from) return;
    const box = this.canvas.getBoundingClientRect();
    const scale = this.data.height / box.height;
    const [[y0, x0], [y1, x1]] = [this.from, this.place(event)];
    this.stop();
    if (Math.abs(y1 - y0) < LEAST * scale || Math.abs(x1 - x0) < LEAST * scale) return;
    const drawn = [Math.min(y0, y1), Math.min(x0, x1), Math.max(y0, y1), Math.max(x0, x1)];
    this.tell([...this.boxes, [...drawn.slice(0, 2).map(Math.floor), ...drawn.slice(2).map(Math.ceil)]]);
  }

  stop() {
    this.from = this.to = this.stroke = null;
    this.draw();
  }

  leave() {
    this.value.hidden = true;
    this.at = null;
    this.draw();
  }

  tell(boxes) {
    this.boxes = boxes;
    this.draw();
    this.send("cover", boxes);
  }

  draw() {
    const { clientWidth, clientHeight } = this.canvas;
    if (!clientWidth || !this.data) return;
    const dense = window.devicePixelRatio || 1;
    this.canvas.width = clientWidth * dense;
    this.canvas.height = clientHeight * dense;
    const context = this.canvas.getContext("2d");
    context.scale((clientWidth * dense) / this.data.width, (clientHeight * dense) / this.data.height);
    const unit = this.data.width / clientWidth;
    const boxes = this.from ? [...this.boxes, [...this.from, ...this.to]] : this.boxes;
    for (const [y0, x0, y1, x1] of boxes) {
      for (const [width, colour] of [[3, "#000a"], [1.5, "#fff"]]) {
        context.lineWidth = width * unit;
        context.strokeStyle = colour;
        context.strokeRect(x0, y0, x1 - x0, y1 - y0);
      }
    }
    if (this.data.brush) this.paint(context, unit);
  }

  paint(context, unit) {
    const radius = this.data.brush;
    if (this.stroke) {
      context.lineCap = context.lineJoin = "round";
      context.lineWidth = 2 * radius;
      context.strokeStyle = this.data.erasing ? "#0008" : "#fff9";
      context.beginPath();
      for (const [y, x] of [this.stroke[0], ...this.stroke]) context.lineTo(x, y); // a point alone is a line too
      context.stroke();
    }
    if (!this.at) return;
    for (const [width, colour] of [[3, "#000a"], [1.5, "#fff"]]) {
      context.lineWidth = width * unit;
      context.strokeStyle = colour;
      context.beginPath();
      context.arc(this.at[1], this.at[0], radius, 0, 2 * Math.PI);
      context.stroke();
    }
  }
}
