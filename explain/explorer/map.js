// One map: its dots on one canvas, and on another above it what moves with the pointer: rings, marks, box and lasso.

const [HIDDEN, FADED, PLAIN, STRONG] = [0, 1, 2, 3]; // looks of a dot
const NEAR = 12; // CSS pixels within which the pointer meets a dot
const STILL = 4; // and within which a press is a click
const SETTLING = 300; // ms in which dots move to new places
const THUMB = 36; // CSS pixels a side, about

class PictureMap {
  constructor(owner, number) {
    this.owner = owner;
    this.number = number;
    this.node = document.createElement("figure");
    this.title = this.node.appendChild(document.createElement("figcaption"));
    const frame = this.node.appendChild(document.createElement("div"));
    frame.className = "frame";
    [this.dots, this.over] = [0, 1].map(() => frame.appendChild(document.createElement("canvas")));
    this.hintNode = frame.appendChild(document.createElement("p"));
    this.hintNode.className = "hint";
    this.dots.setAttribute("aria-hidden", "true");
    this.over.className = "over";
    this.over.tabIndex = 0;
    this.over.setAttribute("role", "img");
    this.raster = new Raster(this.dots);
    this.pen = this.over.getContext("2d");
    this.camera = new Camera();
    this.pointers = new Map();
    this.drag = null;
    this.moving = null;
    const events = {
      pointerdown: this.onDown,
      pointermove: this.onMove,
      pointerup: this.onUp,
      pointercancel: this.onCancel,
      pointerleave: () => this.owner.hover(null, this),
      dblclick: () => this.reset(),
      keydown: (event) => this.owner.onKey(event, this),
      blur: () => this.onBlur(),
    };
    for (const [name, heard] of Object.entries(events)) this.over.addEventListener(name, heard.bind(this));
    this.over.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
  }

  // ---- what there is to see

  // told: the map as unpack() gives it. Dots that were elsewhere move there.
  receive(told, same) {
    const { count } = this.owner.cloud;
    const settle = same && this.told.axes === told.axes && !matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.told = told;
    if (settle) {
      this.moving = { from: this.points.map((axis) => axis.slice()), extent: this.camera.extent, start: 0 };
      return;
    }
    this.moving = null;
    this.points = told.points.map((axis) => axis.slice());
    this.places = [0, 1, 2].map(() => new Float32Array(count));
    this.camera.extent = told.span;
    if (same && this.camera.solid === (told.axes === 3)) return;
    this.camera.solid = told.axes === 3;
    this.camera.reset();
  }

  settle(now) {
    if (!this.moving) return;
    this.moving.start ||= now;
    const share = Math.min(1, (now - this.moving.start) / SETTLING);
    const by = 1 - (1 - share) ** 3;
    this.points.forEach((axis, a) => {
      const [from, to] = [this.moving.from[a], this.told.points[a]];
      for (let k = 0; k < axis.length; k++) axis[k] = from[k] + by * (to[k] - from[k]);
    });
    this.camera.extent = this.told.span.map((to, a) => this.moving.extent[a] + by * (to - this.moving.extent[a]));
    if (share === 1) this.moving = null;
    this.owner.request();
  }

  measure() {
    const { width, height } = this.over.getBoundingClientRect();
    if (!width || !height) return false; // in a closed tab
    this.ratio = window.devicePixelRatio || 1;
    [this.camera.width, this.camera.height] = [width, height];
    const [across, down] = [Math.round(width * this.ratio), Math.round(height * this.ratio)];
    this.raster.resize(across, down);
    if (this.over.width !== across) this.over.width = across;
    if (this.over.height !== down) this.over.height = down;
    return true;
  }

  reset() {
    this.camera.reset();
    this.owner.request();
  }

  // ---- drawing

  draw(now) {
    if (!this.measure()) return false;
    this.settle(now);
    this.camera.project(this.points, this.places);
    this.raster.clear(this.owner.theme.background);
    const { faded } = this.owner;
    const order = this.order();
    if (faded) this.drawDots(order, FADED, FADED);
    const thumbs = this.owner.pictures ? this.fitThumbs() : [];
    this.drawDots(order, PLAIN, STRONG, thumbs.length > 0);
    this.raster.show();
    thumbs.forEach((index) => this.drawThumb(index));
    this.drawOver();
    return true;
  }

  get radius() {
    const { count } = this.owner.cloud;
    const { width, height, zoom } = this.camera;
    const radius = Math.min(5, Math.max(1.25, 0.28 * Math.sqrt((width * height) / count)));
    return Math.min(8, Math.max(radius, radius * zoom ** 0.35));
  }

  drawDots(order, from, to, beneath = false) {
    const { raster, ratio } = this;
    const { look } = this.owner;
    const tint = this.owner.tints[this.number];
    const [across, down, depth] = this.places;
    const radius = this.radius * ratio;
    const strength = beneath ? 0.4 : from === FADED ? 0.13 : this.owner.faded ? 0.95 : 0.8;
    const levels = this.camera.solid ? 8 : 1;
    const stamps = Array.from({ length: levels }, (_, level) => {
      const near = levels > 1 ? level / (levels - 1) : 1;
      return raster.stamps(radius * (0.65 + 0.35 * near) * (levels > 1 ? 1.15 : 1), strength * (0.35 + 0.65 * near));
    });
    for (let n = 0; n < order.length; n++) {
      const k = order[n];
      if (look[k] < from || look[k] > to) continue;
      const level = levels > 1 ? Math.min(7, Math.max(0, Math.round((depth[k] + 0.6) * 5.8))) : 0;
      raster.dot(stamps[level], across[k] * ratio, down[k] * ratio, tint[k]);
    }
  }

  // No class always lies on top; with three axes, what is nearer does.
  order() {
    if (!this.camera.solid) return this.owner.shuffled;
    const depth = this.places[2];
    const starts = new Uint32Array(257);
    const bin = (k) => Math.min(255, Math.max(0, ((depth[k] + 0.9) * 142) | 0));
    for (let k = 0; k < depth.length; k++) starts[bin(k) + 1]++;
    for (let b = 0; b < 256; b++) starts[b + 1] += starts[b];
    const order = new Uint32Array(depth.length);
    for (let k = 0; k < depth.length; k++) order[starts[bin(k)]++] = k;
    return order;
  }

  // The pictures for which there is room: the first come first, so few sheets are fetched. None overlaps another,
  // which only the nine cells around a place can tell, as two in one cell would.
  fitThumbs() {
    const side = this.thumbSide / this.ratio + 3;
    const { width, height } = this.camera;
    const columns = Math.ceil(width / side) + 4;
    const rows = Math.ceil(height / side) + 4;
    const cells = new Int32Array(columns * rows).fill(-1);
    const [across, down] = this.places;
    const { look, faded } = this.owner;
    const found = [];
    const free = (k, cell) => {
      for (const row of [-columns, 0, columns]) {
        for (let at = cell + row - 1; at <= cell + row + 1; at++) {
          const other = cells[at];
          if (other >= 0 && Math.abs(across[k] - across[other]) < side && Math.abs(down[k] - down[other]) < side) return false;
        }
      }
      return true;
    };
    for (let k = 0; k < across.length; k++) {
      if (look[k] < PLAIN || (faded && look[k] < STRONG)) continue;
      const column = Math.floor(across[k] / side) + 2;
      const row = Math.floor(down[k] / side) + 2;
      if (column < 1 || row < 1 || column >= columns - 1 || row >= rows - 1) continue;
      const cell = row * columns + column;
      if (!free(k, cell)) continue;
      cells[cell] = k;
      found.push(k);
    }
    return found;
  }

  get thumbSide() {
    const { tile } = this.owner.sheets;
    const wanted = THUMB * this.ratio * Math.min(2, Math.max(1, this.camera.zoom ** 0.25));
    return tile > wanted ? Math.round(wanted) : Math.round(wanted / tile) * tile;
  }

  drawThumb(index) {
    const cut = this.owner.sheets.find(index);
    if (!cut) return;
    const [image, x, y] = cut;
    const { tile } = this.owner.sheets;
    const side = this.thumbSide;
    const pen = this.raster.context;
    const left = Math.round(this.places[0][index] * this.ratio - side / 2);
    const top = Math.round(this.places[1][index] * this.ratio - side / 2);
    pen.imageSmoothingEnabled = side < tile;
    pen.drawImage(image, x, y, tile, tile, left, top, side, side);
    pen.lineWidth = 2 * this.ratio;
    pen.strokeStyle = css(this.owner.tints[this.number][index]);
    pen.strokeRect(left, top, side, side);
  }

  drawOver() {
    if (!this.ratio || !this.points) return;
    const { pen, ratio, owner } = this;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, this.camera.width, this.camera.height);
    owner.marks.forEach((mark) => this.drawMark(mark));
    const focused = owner.focused === this.over;
    if (owner.opened !== null) this.ring(owner.opened, 6, 2.5, owner.theme.primary);
    if (focused && owner.active !== null) this.ring(owner.active, 9, 1.5, owner.theme.text, [3, 3]);
    if (owner.under !== null) this.ring(owner.under, 3, 1.75, owner.theme.text);
    if (this.drag?.path) this.drawPath(this.drag.path);
  }

  ring(index, gap, width, colour, dashes = []) {
    if (this.owner.look[index] === HIDDEN) return;
    const { pen } = this;
    const [x, y] = [this.places[0][index], this.places[1][index]];
    for (const [line, stroke] of [[width + 2.5, this.owner.theme.paper], [width, colour]]) {
      pen.beginPath();
      pen.arc(x, y, this.radius + gap, 0, 2 * Math.PI);
      pen.setLineDash(stroke === colour ? dashes : []);
      pen.lineWidth = line;
      pen.strokeStyle = stroke;
      pen.stroke();
    }
    pen.setLineDash([]);
  }

  place(mark) {
    const places = [0, 1, 2].map(() => new Float32Array(1));
    const place = this.told.locate(mark.places[this.number]);
    this.camera.project(place.map((part) => [part]), places);
    return places.map(([part]) => part);
  }

  drawMark(mark) {
    const { pen } = this;
    const { theme } = this.owner;
    const [x, y] = this.place(mark);
    pen.beginPath();
    for (let k = 0; k < 10; k++) {
      const [angle, reach] = [(k * Math.PI) / 5 - Math.PI / 2, k % 2 ? 4.2 : 10];
      pen.lineTo(x + reach * Math.cos(angle), y + reach * Math.sin(angle));
    }
    pen.closePath();
    pen.lineJoin = "round";
    [pen.lineWidth, pen.strokeStyle, pen.fillStyle] = [4, theme.paper, theme.primary];
    pen.stroke();
    pen.fill();
    const name = mark.name.length > 32 ? `${mark.name.slice(0, 31)}…` : mark.name;
    pen.font = `600 12px ${theme.font}`;
    pen.textBaseline = "middle";
    const left = x + 14 + pen.measureText(name).width > this.camera.width;
    pen.textAlign = left ? "right" : "left";
    pen.strokeText(name, x + (left ? -14 : 14), y);
    pen.fillStyle = theme.text;
    pen.fillText(name, x + (left ? -14 : 14), y);
  }

  drawPath(path) {
    const { pen } = this;
    const { primary } = this.owner.theme;
    pen.beginPath();
    path.forEach(([x, y]) => pen.lineTo(x, y));
    pen.closePath();
    [pen.fillStyle, pen.globalAlpha] = [primary, 0.12];
    pen.fill();
    [pen.strokeStyle, pen.globalAlpha, pen.lineWidth] = [primary, 1, 1.5];
    pen.stroke();
  }

  // ---- which dots are meant

  // One pass over all places takes a fifth of a millisecond for 70,000: an index would cost more to keep.
  nearest(x, y, within = NEAR) {
    const [across, down] = this.places;
    const { look } = this.owner;
    let [best, least] = [null, (within + this.radius / 2) ** 2];
    const top = this.owner.faded ? [STRONG, FADED] : [PLAIN];
    for (const from of top) {
      for (let k = 0; k < across.length; k++) {
        const distance = (across[k] - x) ** 2 + (down[k] - y) ** 2;
        if (distance < least && look[k] >= from) [best, least] = [k, distance];
      }
      if (best !== null) break; // those that stand out come before faded ones
    }
    return best;
  }

  nearestMark(x, y) {
    return this.owner.marks.find((mark) => {
      const place = this.place(mark);
      return Math.hypot(place[0] - x, place[1] - y) < NEAR;
    });
  }

  // The nearest dot in a direction, within 45 degrees of it; failing that, on that side at all.
  towards(index, right, down) {
    const { look } = this.owner;
    const [xs, ys] = this.places;
    let [best, least] = [null, Infinity];
    for (let k = 0; k < xs.length; k++) {
      const [x, y] = [xs[k] - xs[index], ys[k] - ys[index]];
      const ahead = x * right + y * down;
      if (ahead <= 0.01 || look[k] === HIDDEN) continue;
      const aside = Math.abs(x * down) + Math.abs(y * right);
      const far = ahead + 2 * aside + (aside > ahead ? 1e6 : 0);
      if (far < least) [best, least] = [k, far];
    }
    return best;
  }

  reveal(index) {
    const margin = 40;
    const { width, height } = this.camera;
    const [x, y] = [this.places[0][index], this.places[1][index]];
    const into = (at, room) => Math.min(room - margin, Math.max(margin, at)) - at;
    const [right, down] = [into(x, width), into(y, height)];
    if (!right && !down) return;
    this.camera.pan(right, down);
    this.camera.project(this.points, this.places);
    this.owner.request();
  }

  // By the even-odd rule, as the path is filled on the screen while it does not cross itself.
  inside(path) {
    const [xs, ys] = this.places;
    const [left, right] = bounds(path.map(([x]) => x));
    const [top, bottom] = bounds(path.map(([, y]) => y));
    const { look } = this.owner;
    const found = [];
    for (let k = 0; k < xs.length; k++) {
      const [x, y] = [xs[k], ys[k]];
      if (x < left || x > right || y < top || y > bottom || look[k] === HIDDEN) continue;
      let odd = false;
      for (let a = 0, b = path.length - 1; a < path.length; b = a++) {
        const [[x1, y1], [x2, y2]] = [path[a], path[b]];
        if (y1 > y !== y2 > y && x < x1 + ((y - y1) / (y2 - y1)) * (x2 - x1)) odd = !odd;
      }
      if (odd) found.push(k);
    }
    return found;
  }

  // ---- the pointer

  at(event) {
    const box = this.over.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  onDown(event) {
    if (event.button !== 0 || !this.points) return;
    const [x, y] = this.at(event);
    this.pointers.set(event.pointerId, [x, y]);
    this.over.setPointerCapture(event.pointerId);
    this.owner.hover(null, this);
    if (this.pointers.size > 1) {
      this.drag = null;
      this.owner.requestOver();
      return;
    }
    const { mode } = this.owner;
    const action = mode !== "move" ? mode : this.camera.solid && !event.shiftKey ? "turn" : "pan";
    this.drag = { action, add: event.shiftKey, from: [x, y], last: [x, y], moved: false };
  }

  onMove(event) {
    if (!this.points) return;
    const [x, y] = this.at(event);
    if (this.pointers.has(event.pointerId)) {
      if (this.pointers.size === 2) return this.pinch(event.pointerId, x, y);
      this.pointers.set(event.pointerId, [x, y]);
    }
    const { drag } = this;
    if (!drag) {
      if (event.pointerType !== "touch" && !this.pointers.size) this.owner.hover([x, y], this);
      return;
    }
    drag.moved ||= Math.hypot(x - drag.from[0], y - drag.from[1]) > STILL;
    if (!drag.moved) return;
    const [right, down] = [x - drag.last[0], y - drag.last[1]];
    drag.last = [x, y];
    if (drag.action === "pan") this.camera.pan(right, down);
    if (drag.action === "turn") this.camera.rotate(right / 150, down / 150);
    if (drag.action === "lasso") (drag.path ??= [drag.from]).push([x, y]);
    if (drag.action === "box") {
      const [[x0, y0], x1, y1] = [drag.from, x, y];
      drag.path = [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]; // prettier-ignore
    }
    drag.path ? this.owner.requestOver() : this.owner.request();
  }

  pinch(id, x, y) {
    const [other] = [...this.pointers].filter(([key]) => key !== id).map(([, place]) => place);
    const before = this.pointers.get(id);
    const apart = (a, b) => Math.max(10, Math.hypot(a[0] - b[0], a[1] - b[1]));
    const middle = [(x + other[0]) / 2, (y + other[1]) / 2];
    this.camera.pan((x - before[0]) / 2, (y - before[1]) / 2);
    this.camera.magnify(apart([x, y], other) / apart(before, other), ...middle);
    this.pointers.set(id, [x, y]);
    this.owner.request();
  }

  onUp(event) {
    this.pointers.delete(event.pointerId);
    const { drag } = this;
    this.drag = null;
    if (!drag) return;
    const [x, y] = this.at(event);
    if (drag.path) this.owner.pick(this.inside(drag.path), drag.add);
    if (!drag.moved) {
      const index = this.nearest(x, y, event.pointerType === "touch" ? 2 * NEAR : NEAR);
      if (index !== null) this.owner.open(index);
      if (event.pointerType === "touch") this.owner.hover([x, y], this);
    }
    this.owner.requestOver();
  }

  onCancel(event) {
    this.pointers.delete(event.pointerId);
    this.drag = null;
    this.owner.requestOver();
  }

  onBlur() {
    this.owner.hideCard();
    this.owner.requestOver();
  }

  // A page that is scrolled past the map goes on scrolling; the wheel is the map's once it was clicked, or with Ctrl.
  onWheel(event) {
    if (!this.points) return;
    if (this.owner.focused !== this.over && !event.ctrlKey && !event.metaKey) return this.hint();
    event.preventDefault();
    const lines = event.deltaY * (event.deltaMode ? 16 : 1);
    const by = Math.min(0.35, Math.max(-0.35, -lines * (event.ctrlKey ? 0.01 : 0.0025)));
    this.camera.magnify(Math.exp(by), ...this.at(event));
    this.owner.hover(null, this);
    this.owner.request();
  }

  hint() {
    this.hintNode.textContent = "Click the map, or hold Ctrl, to zoom with the wheel";
    this.hintNode.classList.add("seen");
    clearTimeout(this.hintTimer);
    this.hintTimer = setTimeout(() => this.hintNode.classList.remove("seen"), 1600);
  }
}

const bounds = (numbers) => [Math.min(...numbers), Math.max(...numbers)];
