// A drawn chart over which numbers are read, and whose parts can be chosen by pointer or by keys. Streamlit calls the
// default export again at every change of data; one Chart lives beside each root.

const charts = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".chart");
  let chart = charts.get(root);
  if (!chart) charts.set(root, (chart = new Chart(root)));
  chart.update(data, setTriggerValue);
}

class Chart {
  constructor(root) {
    this.root = root;
    this.stage = root.querySelector(".stage");
    this.image = root.querySelector("img");
    this.mark = root.querySelector(".mark");
    this.value = root.querySelector(".value");
    this.stage.addEventListener("pointermove", (event) => this.show(this.at(event)));
    this.stage.addEventListener("pointerleave", () => this.show(null));
    this.stage.addEventListener("click", (event) => this.choose(this.at(event)));
    this.stage.addEventListener("keydown", (event) => this.onKey(event));
    this.stage.addEventListener("blur", () => this.show(null));
  }

  update(data, send) {
    this.send = send;
    if (data.picture !== this.data?.picture) {
      this.image.src = data.picture;
      this.shown = null;
    }
    this.data = data;
    this.image.alt = data.alt;
    this.image.style.aspectRatio = data.ratio;
    this.stage.style.setProperty("--least", `${data.least}px`);
    this.stage.setAttribute("aria-label", data.alt);
    this.stage.tabIndex = data.boxes.length ? 0 : -1;
    this.root.classList.toggle("dark", data.dark);
    this.root.classList.toggle("choosing", data.choosing);
    if (this.shown === null) this.show(null);
  }

  // The smallest part under the pointer: a point lies on what is behind it.
  at(event) {
    const { left, top, width, height } = this.stage.getBoundingClientRect();
    const [x, y] = [(event.clientX - left) / width, (event.clientY - top) / height];
    let [found, least] = [null, Infinity];
    this.data.boxes.forEach(([l, t, r, b], k) => {
      const away = Math.hypot(x - (l + r) / 2, y - (t + b) / 2);
      const size = (r - l) * (b - t) + away * 1e-6;
      if (x >= l && x <= r && y >= t && y <= b && size < least) [found, least] = [k, size];
    });
    return found;
  }

  show(k) {
    this.shown = k;
    this.root.classList.toggle("over", k !== null);
    this.mark.hidden = this.value.hidden = k === null;
    if (k === null) return;
    const [l, t, r, b] = this.data.boxes[k].map((share) => `${share * 100}%`);
    const [left, , right, bottom] = this.data.boxes[k];
    Object.assign(this.mark.style, { left: l, top: t, width: `calc(${r} - ${l})`, height: `calc(${b} - ${t})` });
    this.value.textContent = this.data.texts[k];
    const far = (left + right) / 2 > 0.5;
    this.value.style.left = far ? "" : `min(${r}, 70%)`;
    this.value.style.right = far ? `min(calc(100% - ${l}), 70%)` : "";
    this.value.style.top = bottom > 0.85 ? "" : `calc(${b} + 4px)`;
    this.value.style.bottom = bottom > 0.85 ? `calc(100% - ${t} + 4px)` : "";
  }

  choose(k) {
    if (k !== null && this.data.choosing) this.send("choose", k);
  }

  onKey(event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const last = this.data.boxes.length - 1;
    if (step && last >= 0) {
      event.preventDefault();
      this.show(Math.min(Math.max((this.shown ?? (step > 0 ? -1 : last + 1)) + step, 0), last));
    } else if (event.key === "Enter") {
      this.choose(this.shown);
    } else if (event.key === "Escape") {
      this.show(null);
    }
  }
}
