// A network from left to right. Streamlit calls the default export again at every change of data or theme; one Graph
// lives beside each root, and draws again only what has changed.

const GAP = 16; // between columns, in CSS pixels
const LANE = 14; // between lanes
const NAMED = 14; // so many nodes have room for their names
const NAME = 22; // the height of a line of names
const SETTLE = 250; // ms without a key before the server hears of a choice
const SIGNS = { sum: "+", product: "×", concatenation: "⧺" };
const SVG = "http://www.w3.org/2000/svg";

const graphs = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".graph");
  let graph = graphs.get(root);
  if (!graph) graphs.set(root, (graph = new Graph(root)));
  graph.update(data, setTriggerValue);
}

function make(kind, attributes, parent) {
  const one = document.createElementNS(SVG, kind);
  for (const [name, value] of Object.entries(attributes)) one.setAttribute(name, value);
  parent.appendChild(one);
  return one;
}

class Graph {
  constructor(root) {
    this.way = root.querySelector(".way");
    this.svg = root.querySelector("svg");
    this.edges = root.querySelector(".edges");
    this.nodes = root.querySelector(".nodes");
    this.said = root.querySelector(".said");
    this.timer = 0;
    this.way.addEventListener("click", (event) => this.onClick(event));
    this.way.addEventListener("keydown", (event) => this.onKey(event));
    this.way.addEventListener("pointerover", (event) => this.say(this.at(event) ?? this.selected));
    this.way.addEventListener("pointerleave", () => this.say(this.selected));
  }

  update(data, send) {
    this.send = send;
    this.way.setAttribute("aria-label", data.alt);
    const drawn = JSON.stringify(data.nodes);
    const fresh = drawn !== this.drawn;
    this.data = data;
    if (fresh) {
      this.drawn = drawn;
      this.draw();
    }
    if (fresh || data.selected !== this.told) this.select(data.selected, true);
    this.told = data.selected;
  }

  // ---- drawing

  draw() {
    const { nodes } = this.data;
    const named = nodes.length <= NAMED;
    const columns = Math.max(...nodes.map((one) => one.column)) + 1;
    const lanes = Math.max(...nodes.map((one) => one.lane)) + 1;
    const widths = Array(columns).fill(0);
    const heights = Array(lanes).fill(0);
    for (const one of nodes) {
      widths[one.column] = Math.max(widths[one.column], one.width, named ? 7 * Math.max(one.name.length, 5) : 0);
      heights[one.lane] = Math.max(heights[one.lane], one.height);
    }
    const lefts = [4];
    for (const width of widths) lefts.push(lefts.at(-1) + width + GAP);
    const tops = [this.room(nodes)];
    for (const height of heights) tops.push(tops.at(-1) + height + (named ? NAME : 0) + LANE);
    this.places = nodes.map((one) => ({
      x: lefts[one.column] + widths[one.column] / 2,
      y: tops[one.lane] + heights[one.lane] / 2,
      width: one.width,
      height: one.height,
      column: one.column,
      lane: one.lane,
    }));
    this.svg.setAttribute("width", lefts.at(-1));
    this.svg.setAttribute("height", tops.at(-1));
    this.edges.replaceChildren();
    this.nodes.replaceChildren();
    nodes.forEach((one, k) => {
      for (const from of one.before) this.join(from, k);
    });
    nodes.forEach((one, k) => this.box(one, k, named));
  }

  // What leads past nodes of its lane is an arc above them: the further, the higher.
  rise(from, to) {
    return Math.min(8 + 5 * (to.column - from.column), 44);
  }

  passes(from, to) {
    return from.lane === to.lane && to.column - from.column > 1;
  }

  room(nodes) {
    const rises = nodes.flatMap((one) =>
      one.before.filter((k) => this.passes(nodes[k], one)).map((k) => this.rise(nodes[k], one)),
    );
    return 6 + Math.max(0, ...rises);
  }

  join(from, to) {
    const [a, b] = [this.places[from], this.places[to]];
    const [x0, x1] = [a.x + a.width / 2, b.x - b.width / 2];
    let d = `M${x0},${a.y} L${x1},${b.y}`;
    if (this.passes(a, b)) {
      const top = Math.min(...this.places.slice(from, to + 1).filter((one) => one.lane === a.lane).map((one) => one.y - one.height / 2));
      const high = top - this.rise(a, b);
      d = `M${a.x},${a.y - a.height / 2} C${a.x},${high} ${a.x},${high} ${(a.x + b.x) / 2},${high} S${b.x},${high} ${b.x},${b.y - b.height / 2}`;
    } else if (a.lane !== b.lane) {
      const bend = Math.min((x1 - x0) / 2, 26);
      d = a.lane < b.lane // out at once, or back at last
        ? `M${x0},${a.y} C${x0 + bend},${a.y} ${x0},${b.y} ${x0 + bend},${b.y} L${x1},${b.y}`
        : `M${x0},${a.y} L${x1 - bend},${a.y} C${x1},${a.y} ${x1 - bend},${b.y} ${x1},${b.y}`;
    }
    make("path", { d, "data-from": from, "data-to": to }, this.edges);
  }

  box(one, k, named) {
    const { x, y, width, height } = this.places[k];
    const group = make("g", { class: `node ${one.family}`, "data-node": k }, this.nodes);
    if (one.family === "join") {
      make("circle", { cx: x, cy: y, r: width / 2 }, group);
      make("text", { x, y: y + 4 }, group).textContent = SIGNS[one.said] ?? "·";
      return;
    }
    make("rect", { x: x - width / 2, y: y - height / 2, width, height, rx: 2 }, group);
    if (named) make("text", { x, y: y + height / 2 + 15 }, group).textContent = one.name;
    if (one.family === "input") return;
    group.classList.add("layer");
    group.id = `node-${k}`;
    group.setAttribute("role", "option");
    group.setAttribute("aria-label", `${one.name}, ${one.said}`);
  }

  // ---- choosing

  at(event) {
    const found = event.target.closest?.("[data-node]");
    return found ? Number(found.dataset.node) : null;
  }

  say(k) {
    const one = this.data.nodes[k];
    this.said.replaceChildren();
    if (!one) return;
    if (one.name && one.family !== "input") this.said.appendChild(document.createElement("b")).textContent = one.name;
    this.said.append(`${this.said.firstChild ? " · " : ""}${one.said}`);
    for (const path of this.edges.children)
      path.classList.toggle("near", [path.dataset.from, path.dataset.to].includes(String(k)));
  }

  select(k, show) {
    this.selected = k;
    for (const group of this.nodes.children) {
      const own = Number(group.dataset.node) === k;
      group.classList.toggle("selected", own);
      if (group.classList.contains("layer")) group.setAttribute("aria-selected", own);
    }
    this.way.setAttribute("aria-activedescendant", k === null ? "" : `node-${k}`);
    this.say(k);
    if (k === null || !show) return;
    const { x } = this.places[k];
    const { scrollLeft, clientWidth } = this.way;
    if (x < scrollLeft + 40 || x > scrollLeft + clientWidth - 40) this.way.scrollLeft = x - clientWidth / 2;
  }

  onClick(event) {
    const k = this.at(event);
    if (k === null || !this.isLayer(k)) return;
    this.select(k);
    this.tell(k);
  }

  onKey(event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const last = this.data.nodes.length - 1;
    let k = this.selected ?? (step > 0 ? -1 : last + 1);
    do k += step;
    while (k >= 0 && k <= last && !this.isLayer(k));
    if (k < 0 || k > last) return;
    this.select(k, true);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.tell(k), SETTLE);
  }

  isLayer(k) {
    return !["join", "input"].includes(this.data.nodes[k].family);
  }

  tell(k) {
    this.told = k;
    this.send("choose", k);
  }
}
