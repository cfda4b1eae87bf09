// Streamlit calls the default export again on the same element at every change of data or theme, and the cleanup only
// when the element leaves. So one Gallery lives beside each root, and update() changes no more than has changed.

const SIZES = [40, 68, 112]; // the longer side of a tile, in CSS pixels
const SIZE_NAMES = ["small", "medium", "large"];
const GAP = 8; // between tiles, above and below them, as in gallery.css
const PADDING = 6; // beside them
const FONT = 12; // of the captions
const PREVIEW = 224; // the longer side of the closer look
const LEAST_NAMED = 36; // a tile that says a name of several lines
const SPARE = 2; // rows kept ready above and below those in view
const SETTLE = 120; // ms without a key before the server hears of a selection
const ECHO = 10_000; // ms within which Python may answer a choice with the same number

const galleries = new WeakMap();
const sheets = new Map(); // address -> Promise<Image>; addresses are content hashes

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".gallery");
  let gallery = galleries.get(root);
  if (!gallery) galleries.set(root, (gallery = new Gallery(root)));
  const turn = gallery.update(data, setTriggerValue);
  return () => gallery.leave(turn);
}

function fetchSheet(address) {
  if (!sheets.has(address)) {
    const image = new Image();
    image.src = address;
    const sheet = image.decode().then(() => image);
    sheet.catch(() => sheets.delete(address)); // to be tried again; paint() tells the user
    sheets.set(address, sheet);
    if (sheets.size > 16) sheets.delete(sheets.keys().next().value);
  }
  return sheets.get(address);
}

class Gallery {
  constructor(root) {
    this.root = root;
    this.list = root.querySelector(".tiles");
    this.slider = root.querySelector(".size input");
    this.preview = root.querySelector(".preview");
    this.message = root.querySelector(".message");
    this.tiles = new Map(); // index -> the tile, for the rows in view
    this.row = 0; // from one row to the next, in CSS pixels
    this.turn = 0;
    this.drawn = null; // what the tiles show: address and geometry in one string
    this.sheet = null; // and where in which picture they find it
    this.selected = null;
    this.active = 0;
    this.told = undefined; // the selection Python last passed
    this.sent = []; // choices Python has not answered yet
    this.timer = 0;
    this.hoverTimer = 0;

    this.list.addEventListener("click", (event) => this.onClick(event));
    this.list.addEventListener("keydown", (event) => this.onKey(event));
    this.list.addEventListener("pointerover", (event) => this.onHover(event));
    this.list.addEventListener("pointerleave", () => this.hidePreview());
    this.list.addEventListener("scroll", () => this.onScroll());
    this.slider.addEventListener("input", () => this.resize(Number(this.slider.value)));
    this.observer = new ResizeObserver(() => this.layout());
    this.observer.observe(this.list);
  }

  update(data, send) {
    const first = !this.data;
    this.asked = performance.now();
    const recount = data.count !== this.data?.count;
    this.data = data;
    this.send = send;
    if (data.sheet) fetchSheet(data.sheet); // on its way while the wall is built
    if (recount) this.build();
    this.list.setAttribute("aria-label", data.alt);
    this.list.style.maxHeight = `${data.maxHeight}px`;
    this.root.querySelector(".facts").textContent = `${data.count} · ${data.tile[0]} × ${data.tile[1]} px`;
    this.write();
    if (first) this.size = this.remembered();
    this.slider.value = this.size;
    this.slider.setAttribute("aria-valuetext", SIZE_NAMES[this.size]);
    this.layout();
    this.receive(data.selected, recount);
    this.paint();
    return ++this.turn;
  }

  leave(turn) {
    if (turn !== this.turn) return; // an overtaken call, not the end
    this.observer.disconnect();
    clearTimeout(this.timer);
    this.hidePreview();
    galleries.delete(this.root);
  }

  // ---- what is on the wall

  build() {
    const one = document.createElement("div");
    one.className = "tile";
    one.setAttribute("role", "option");
    one.setAttribute("aria-setsize", this.data.count);
    const caption = document.createElement("div");
    caption.className = "caption";
    for (const part of ["name", "value"]) caption.appendChild(document.createElement("span")).className = part;
    one.append(document.createElement("div"), caption);
    one.firstChild.className = "picture";
    this.template = one;
    this.tiles.clear();
    this.list.replaceChildren();
    this.shown = null;
    this.sheet = null;
    this.drawn = null;
    this.written = null;
  }

  // The page holds only the rows in view and a few around them: a wall of 2,048 costs no more than one of 200.
  show() {
    if (!this.row) return; // in a closed tab
    const { count, maxHeight } = this.data;
    const rows = Math.ceil(count / this.columns);
    const { scrollTop } = this.list;
    const above = Math.min(rows, Math.max(0, Math.floor(scrollTop / this.row) - SPARE));
    const below = Math.max(above, Math.min(rows, Math.ceil((scrollTop + maxHeight) / this.row) + SPARE));
    const [from, to] = [above * this.columns, Math.min(count, below * this.columns)];
    const shown = JSON.stringify([from, to, rows, this.row]);
    if (shown === this.shown) return;
    this.shown = shown;
    for (const [index, { node }] of this.tiles) {
      if (index >= from && index < to) continue;
      node.remove();
      this.tiles.delete(index);
    }
    let next = this.list.firstElementChild;
    for (let index = from; index < to; index++) {
      const { node } = this.tiles.get(index) ?? this.make(index);
      if (node === next) next = next.nextElementSibling;
      else this.list.insertBefore(node, next);
    }
    this.list.style.setProperty("--above", `${above * this.row}px`);
    this.list.style.setProperty("--below", `${(rows - below) * this.row}px`);
  }

  make(index) {
    const node = this.template.cloneNode(true);
    node.id = `tile-${index}`;
    node.dataset.index = index;
    node.setAttribute("aria-posinset", index + 1);
    node.setAttribute("aria-selected", index === this.selected);
    node.classList.toggle("active", index === this.active);
    const [picture, { firstChild: name, lastChild: value }] = node.children;
    const tile = { node, picture, name, value };
    this.tiles.set(index, tile);
    this.caption(index, tile);
    if (this.sheet) this.cut(index, picture);
    return tile;
  }

  caption(index, { node, name, value }) {
    name.textContent = this.data.names[index];
    value.textContent = this.data.values[index] ?? "";
    node.setAttribute("aria-label", this.label(index));
  }

  // A window onto the sheet: hundreds of canvases would be hundreds of layers to composite.
  cut(index, picture) {
    const { columns, tile, gap } = this.sheet;
    picture.style.setProperty("--x", gap + (index % columns) * (tile[0] + gap));
    picture.style.setProperty("--y", gap + Math.floor(index / columns) * (tile[1] + gap));
  }

  write() {
    const { names, values } = this.data;
    const text = JSON.stringify([names, values]);
    if (text === this.written) return;
    this.written = text;
    this.tiles.forEach((tile, index) => this.caption(index, tile));
    this.nameWidth = this.measure(names);
    this.valueWidth = this.measure(values);
  }

  label(index) {
    return [this.data.names[index], this.data.values[index]].filter(Boolean).join(", ") || `${index}`;
  }

  measure(texts) {
    const context = document.createElement("canvas").getContext("2d");
    context.font = `600 ${FONT}px ${getComputedStyle(this.root).fontFamily}`;
    const longest = Math.max(0, ...texts.map((text) => text.length));
    const candidates = texts.filter((text) => text.length >= longest - 2).slice(0, 64);
    return Math.ceil(Math.max(0, ...candidates.map((text) => context.measureText(text).width)));
  }

  async paint() {
    const { sheet, columns, tile, gap } = this.data;
    const wanted = JSON.stringify([sheet, columns, tile, gap]);
    this.wanted = wanted;
    const { asked } = this;
    if (wanted === this.drawn || !sheet) return;
    let image;
    try {
      image = await fetchSheet(sheet);
    } catch {
      if (this.wanted === wanted) this.message.textContent = "The picture could not be loaded. Reload the page.";
      return;
    }
    if (this.wanted !== wanted) return; // overtaken by a newer sheet
    this.message.textContent = "";
    this.sheet = { columns, tile, gap };
    this.drawn = wanted;
    this.root.style.setProperty("--sheet", `url("${image.src}")`);
    this.root.style.setProperty("--sheet-width", image.naturalWidth);
    this.tiles.forEach(({ picture }, index) => this.cut(index, picture));
    // For tests and the browser's profiler: from the words of Python to the frame that shows the tiles.
    requestAnimationFrame(() => setTimeout(() => performance.measure("explain-gallery", { start: asked })));
  }

  // ---- size and flow

  remembered() {
    let name = null;
    try {
      name = localStorage.getItem(`explain-gallery-size:${this.data.wall}`);
    } catch {
      // Storage is switched off.
    }
    return SIZE_NAMES.includes(name) ? SIZE_NAMES.indexOf(name) : 1;
  }

  resize(size) {
    this.size = size;
    this.slider.setAttribute("aria-valuetext", SIZE_NAMES[size]);
    try {
      localStorage.setItem(`explain-gallery-size:${this.data.wall}`, SIZE_NAMES[size]);
    } catch {
      // A private window: the size lasts as long as the page.
    }
    this.layout();
    this.reveal(this.selected ?? this.active);
  }

  layout() {
    if (!this.data) return;
    const room = this.list.clientWidth - 2 * PADDING;
    if (room <= 0) return; // in a closed tab; the observer calls again
    const { tile, rowsOf } = this.data;
    const longer = Math.max(...tile);
    const ratio = window.devicePixelRatio || 1;
    // Whole device pixels for each pixel of the sheet, so that all come out equally large.
    let scale = (SIZES[this.size] * ratio) / longer;
    if (scale > 0.75) scale = Math.max(1, Math.round(scale));
    if (rowsOf) {
      const fitting = (((room + GAP) / rowsOf - GAP) * ratio) / tile[0];
      if (fitting < scale) scale = Math.max((16 * ratio) / longer, fitting < 1 ? fitting : Math.floor(fitting));
    }
    const width = (tile[0] * scale) / ratio;
    const shown = this.columns !== undefined;
    this.columns = rowsOf || Math.max(1, Math.floor((room + GAP) / (width + GAP)));

    const style = this.list.style;
    style.setProperty("--scale", `${scale / ratio}px`);
    style.setProperty("--width", `${width}px`);
    style.setProperty("--height", `${(tile[1] * scale) / ratio}px`);
    style.gridTemplateColumns = `repeat(${this.columns}, ${width}px)`;
    const classes = this.list.classList;
    classes.toggle("reduced", scale < 1);
    const font = this.size === 2 ? FONT + 2 : FONT; // large tiles are for the back rows of a lecture hall
    const [nameWidth, valueWidth] = [this.nameWidth, this.valueWidth].map((size) => (size * font) / FONT);
    style.fontSize = `${font}px`;
    classes.toggle("bare", nameWidth + valueWidth === 0);
    classes.toggle("stacked", nameWidth + valueWidth + 4 > width);
    classes.toggle("worded", nameWidth > width);
    classes.toggle("long", nameWidth > 1.8 * width);
    classes.toggle("nameless", nameWidth > 2 * width && width < LEAST_NAMED);
    classes.toggle("terse", valueWidth === 0 || (this.size === 0 && valueWidth > width));
    this.row = this.measureRow();
    this.show();
    if (!shown && this.selected !== null) this.reveal(this.selected); // selected while in a closed tab
  }

  measureRow() {
    if (!this.tiles.size) this.list.append(this.make(0).node);
    const [{ node }] = this.tiles.values();
    return node.getBoundingClientRect().height + GAP;
  }

  onScroll() {
    this.hidePreview();
    this.show();
  }

  // ---- who is selected

  receive(told, recount) {
    const now = performance.now();
    this.sent = this.sent.filter((choice) => now - choice.at < ECHO);
    if (recount) this.forget();
    else if (told === this.told) return;
    this.told = told;
    const echo = this.sent.findIndex((choice) => choice.index === told);
    if (echo >= 0) {
      this.sent.splice(0, echo + 1);
      if (this.sent.length || this.timer) return; // the user is already further on
    } else {
      this.forget();
    }
    this.select(told);
    if (told !== null) this.reveal(told);
  }

  forget() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.sent = [];
  }

  select(index) {
    this.tiles.get(this.selected)?.node.setAttribute("aria-selected", "false");
    this.tiles.get(index)?.node.setAttribute("aria-selected", "true");
    this.selected = index;
    this.activate(index ?? 0);
  }

  activate(index) {
    this.tiles.get(this.active)?.node.classList.remove("active");
    this.tiles.get(index)?.node.classList.add("active");
    this.active = index;
    this.list.setAttribute("aria-activedescendant", `tile-${index}`);
  }

  reveal(index) {
    if (!this.row) return;
    const top = Math.floor(index / this.columns) * this.row;
    const bottom = top + this.row + GAP;
    const { scrollTop, clientHeight } = this.list;
    if (top < scrollTop) this.list.scrollTop = top;
    else if (bottom > scrollTop + clientHeight) this.list.scrollTop = bottom - clientHeight;
    this.show();
  }

  choose(index) {
    clearTimeout(this.timer);
    this.timer = 0;
    this.select(index);
    this.sent.push({ index, at: performance.now() });
    this.send("choose", index);
  }

  onClick(event) {
    const tile = event.target.closest(".tile");
    if (tile) this.choose(Number(tile.dataset.index));
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const last = this.data.count - 1;
    const page = this.columns * Math.max(1, Math.floor(this.list.clientHeight / (this.row || 1)));
    const moves = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -this.columns,
      ArrowDown: this.columns,
      PageUp: -page,
      PageDown: page,
      Home: -Infinity,
      End: Infinity,
    };
    if (event.key === "Enter" || event.key === " ") {
      if (!event.repeat) this.choose(this.active);
    } else if (event.key in moves) {
      this.step(moves[event.key], last);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    this.hidePreview();
  }

  step(move, last) {
    let index = this.selected === null ? this.active : this.active + move;
    if (Math.abs(move) === Infinity) index = move < 0 ? 0 : last;
    else if (index < 0 || index > last) index = this.beyond(move, last);
    if (index !== this.selected) {
      this.select(index);
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.choose(this.selected), SETTLE);
    }
    this.reveal(index);
    this.tiles.get(index)?.node.scrollIntoView({ block: "nearest" });
  }

  // Past the edge: stay in the column, in the outermost row that has it.
  beyond(move, last) {
    if (Math.abs(move) < this.columns) return this.active;
    const column = this.active % this.columns;
    if (move < 0) return column;
    const bottom = last - (last % this.columns) + column;
    return bottom > last ? Math.max(this.active, bottom - this.columns) : bottom;
  }

  // ---- a closer look

  onHover(event) {
    const tile = event.target.closest(".tile");
    if (event.pointerType === "touch" || !tile || !this.drawn) return this.hidePreview();
    clearTimeout(this.hoverTimer);
    const show = () => this.showPreview(Number(tile.dataset.index));
    if (this.preview.matches(":popover-open")) show();
    else this.hoverTimer = setTimeout(show, 250);
  }

  showPreview(index) {
    const { node } = this.tiles.get(index) ?? {};
    if (!node?.isConnected || !this.preview.showPopover) return;
    const [width, height] = this.sheet.tile;
    const ratio = window.devicePixelRatio || 1;
    let scale = (PREVIEW * ratio) / Math.max(width, height);
    if (scale > 1) scale = Math.floor(scale);
    const view = this.preview.querySelector(".picture");
    this.cut(index, view);
    this.preview.style.setProperty("--scale", `${scale / ratio}px`);
    this.preview.style.setProperty("--width", `${(width * scale) / ratio}px`);
    this.preview.style.setProperty("--height", `${(height * scale) / ratio}px`);
    this.preview.classList.toggle("reduced", scale < 1);
    this.preview.querySelector(".name").textContent = this.data.names[index];
    this.preview.querySelector(".value").textContent = this.data.values[index] ?? "";
    this.preview.style.maxWidth = `${Math.max(120, (width * scale) / ratio)}px`;
    if (!this.preview.matches(":popover-open")) this.preview.showPopover();

    const at = node.getBoundingClientRect();
    const box = this.preview.getBoundingClientRect();
    const right = at.right + 12;
    const left = right + box.width > window.innerWidth - 8 ? at.left - 12 - box.width : right;
    const top = Math.min(Math.max(8, at.top + at.height / 2 - box.height / 2), window.innerHeight - box.height - 8);
    this.preview.style.left = `${Math.max(8, left)}px`;
    this.preview.style.top = `${Math.max(8, top)}px`;
  }

  hidePreview() {
    clearTimeout(this.hoverTimer);
    if (this.preview.matches(":popover-open")) this.preview.hidePopover();
  }
}
