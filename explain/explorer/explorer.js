// Streamlit calls the default export again on the same element at every change of data or theme, and the cleanup only
// when the element leaves. So one Explorer lives beside each root, and update() changes no more than has changed.

const ECHO = 10_000; // ms within which Python may answer a click with the same number
const CARD = 168; // the longer side of the closer look, in CSS pixels

const explorers = new WeakMap();

export default function mount({ data, parentElement, setTriggerValue, setStateValue }) {
  const root = parentElement.querySelector(".explorer");
  let explorer = explorers.get(root);
  if (!explorer) explorers.set(root, (explorer = new Explorer(root)));
  const turn = explorer.update(data, setTriggerValue, setStateValue);
  return () => explorer.leave(turn);
}

class Explorer {
  constructor(root) {
    this.root = root;
    const find = (name) => root.querySelector(name);
    this.modes = [...root.querySelectorAll(".modes button")];
    this.select = find(".colour select");
    this.search = find(".search input");
    this.found = find(".search output");
    this.picturesButton = find(".pictures");
    this.shownNode = find(".shown");
    this.chosenNode = find(".chosen");
    this.messageNode = find(".message");
    this.spoken = find(".spoken");
    this.card = find(".card");
    this.allButton = find(".all");
    this.clearButton = find(".clear");
    this.legend = new Legend(find(".legend"), () => this.relook());
    this.maps = [];
    this.marks = [];
    this.turn = 0;
    this.mode = "move";
    this.pictures = false;
    this.cloud = null;
    this.words = null;
    this.told = {}; // what Python last said of the ring and the colour
    this.sent = []; // clicks Python has not answered yet
    this.frame = 0;

    this.modes.forEach((button) => button.addEventListener("click", () => this.setMode(button.dataset.mode)));
    find(".reset").addEventListener("click", () => this.maps.forEach((map) => map.reset()));
    this.select.addEventListener("change", () => this.setColour(this.select.value));
    this.picturesButton.addEventListener("click", () => this.setPictures(!this.pictures));
    this.search.addEventListener("input", () => this.seek());
    this.search.addEventListener("keydown", (event) => this.onSearchKey(event));
    this.allButton.addEventListener("click", () => this.showAll());
    this.clearButton.addEventListener("click", () => this.pick([], false));
    this.observer = new ResizeObserver(() => this.request());
    this.observer.observe(find(".maps"));
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.onTheme = () => this.paint();
    this.dark.addEventListener("change", this.onTheme);
  }

  update(data, trigger, state) {
    this.asked = performance.now();
    const before = this.data;
    const same = before?.of === data.of && before.titles.length === data.titles.length;
    [this.data, this.trigger, this.state] = [data, trigger, state];
    if (!same) this.forget();
    this.marks = data.marks;
    if (data.thumbs?.sheets.join() !== before?.thumbs?.sheets.join() || !same) this.hang(data.thumbs);
    data.titles.forEach((title, k) => {
      const map = this.maps[k];
      map.title.textContent = title;
      map.over.setAttribute("aria-label", title ? `${data.alt}: ${title}` : data.alt);
    });
    if (!same || data.points !== before.points) this.fetch(data, same);
    else if (this.cloud) this.recolour();
    this.hear(data, !before);
    return ++this.turn;
  }

  leave(turn) {
    if (turn !== this.turn) return; // an overtaken call, not the end
    this.observer.disconnect();
    this.dark.removeEventListener("change", this.onTheme);
    cancelAnimationFrame(this.frame);
    this.frame = -1; // nothing is drawn any more
    this.hideCard();
    explorers.delete(this.root);
  }

  // Other pictures: nothing said of the former ones holds any longer.
  forget() {
    this.cloud = this.words = this.picked = this.matches = this.lower = null;
    [this.opened, this.active, this.under] = [null, null, null];
    this.search.value = this.found.textContent = "";
    this.hidden = {};
    this.sent = [];
    this.told = {};
    this.hideCard();
    this.maps = this.data.titles.map((_, k) => new PictureMap(this, k));
    const frame = this.root.querySelector(".maps");
    frame.replaceChildren(...this.maps.map((map) => map.node));
    frame.classList.toggle("two", this.maps.length > 1);
    this.setMode(this.mode);
  }

  async fetch(data, same) {
    const { asked } = this;
    try {
      const [cloud, words] = await Promise.all([
        load(data.points).then(unpack),
        this.words && same ? this.words : loadWords(data.words),
      ]);
      if (this.data.points !== data.points || this.data.of !== data.of) return; // overtaken by newer ones
      this.messageNode.textContent = "";
      this.words = words;
      this.begin(cloud, same && this.cloud !== null);
    } catch {
      if (this.data === data) this.messageNode.textContent = "The map could not be loaded. Reload the page.";
      return;
    }
    this.painted = () => {
      // For tests and the browser's profiler: from the words of Python to the frame that shows the dots.
      requestAnimationFrame(() => setTimeout(() => performance.measure("explain-explorer", { start: asked })));
    };
    this.request();
  }

  begin(cloud, same) {
    this.cloud = cloud;
    this.fields = fieldsOf(cloud, this.words);
    this.groupings = groupingsOf(this.words);
    for (const name of this.groupings) this.hidden[name] ??= new Set();
    this.maps.forEach((map, k) => map.receive(cloud.maps[k], same));
    if (!same) {
      this.groups = {};
      this.look = new Uint8Array(cloud.count);
      this.picked = new Uint8Array(cloud.count);
      if (this.data.picked?.of === this.data.of) this.picked = unpackBits(this.data.picked.bits, cloud.count);
      this.shuffled = shuffle(cloud.count);
    }
    for (const name of this.groupings) this.groups[name] = groupsOf(cloud, name, this.words);
    this.select.replaceChildren(
      ...(this.fields.length ? this.fields : ["label"]).map((field) => new Option(titleOf(field), field)),
    );
    this.setColour(this.fields.includes(this.colour) ? this.colour : this.fields[0] ?? "label");
  }

  // What Python says of the ring and the colours, unless the user is already further on.
  hear({ opened, colour }, first) {
    if (colour && colour !== this.told.colour) {
      this.colour = colour;
      if (this.cloud && this.fields.includes(colour)) this.setColour(colour);
    }
    this.told.colour = colour;
    const now = performance.now();
    this.sent = this.sent.filter((click) => now - click.at < ECHO);
    if (!first && opened === this.told.opened) return;
    this.told.opened = opened;
    const echo = this.sent.findIndex((click) => click.index === opened);
    this.sent.splice(0, echo + 1);
    if (echo >= 0 && this.sent.length) return;
    this.opened = opened;
    this.requestOver();
  }

  // ---- colours and looks

  setColour(colour) {
    this.colour = this.select.value = colour;
    this.grouping = groupingOf(colour, this.fields, this.groupings);
    this.recolour();
  }

  recolour() {
    this.readTheme();
    const { cloud, words, data, colour, grouping } = this;
    const continuous = colour !== grouping;
    const at = words.groups.findIndex(({ name }) => COLUMN + name === grouping);
    const [column, colours] = [words.groups[at], data.columns[at] ?? data.colours];
    const parsed = (hex) => rgb(...[1, 3, 5].map((from) => parseInt(hex.slice(from, from + 2), 16)));
    const shade = (hex) => (hex === data.other && this.theme.other) || parsed(hex);
    const palette = grouping === "verdict" ? [RIGHT, WRONG, GREY] : [...colours.map(shade), GREY];
    const number = words.numbers.findIndex(({ name }) => COLUMN + name === colour);
    const groups = this.groups[grouping];
    this.tints = cloud.maps.map((map) => {
      const known = { confidence: cloud.confidence, trust: map.trust, kept: map.kept };
      const shares = number < 0 ? known[colour] : cloud.numbers[number];
      const tint = new Uint32Array(cloud.count);
      const [numbers, tints] = continuous ? [shares, RAMP] : [groups, palette];
      if (!numbers) return tint.fill(GREY);
      for (let k = 0; k < tint.length; k++) tint[k] = tints[numbers[k]];
      return tint;
    });
    const totals = tally(groups, null, palette.length);
    const names = grouping === "verdict" ? VERDICTS : [...(column?.names ?? words.classes), "unknown"];
    const other = (k) => grouping !== "verdict" && colours[k] === data.other;
    const rows = palette.map((tint, k) => ({ name: names[k], colour: css(tint), total: totals[k], other: other(k) }));
    const ends = !continuous ? null : number < 0 ? [0, 1] : [words.numbers[number].low, words.numbers[number].high];
    const key = JSON.stringify([rows, ends]);
    if (key !== this.legendKey || this.legend.hidden !== this.hidden[grouping]) {
      this.legend.build(rows, this.hidden[grouping], ends); // a rerun leaves the focus and the scrolling alone
      this.legendKey = key;
    }
    this.relook();
  }

  // How each dot is to be seen, after a change of classes, picks or the search.
  relook() {
    if (!this.cloud) return;
    const { look, picked, matches, cloud } = this;
    const filters = Object.entries(this.hidden).filter(([, hidden]) => hidden.size);
    const several = this.countPicked();
    const strong = matches ?? (several ? picked : null);
    this.faded = strong !== null;
    look.fill(PLAIN);
    if (strong) for (let k = 0; k < look.length; k++) look[k] = strong[k] ? STRONG : FADED;
    for (const [name, hidden] of filters) {
      const [groups, flags] = [this.groups[name], new Uint8Array(UNKNOWN + 1)];
      hidden.forEach((group) => (flags[group] = 1));
      for (let k = 0; k < look.length; k++) if (flags[groups[k]]) look[k] = HIDDEN;
    }
    let shown = 0;
    for (let k = 0; k < look.length; k++) if (look[k] !== HIDDEN) shown++;
    const groups = this.groups[this.grouping];
    this.legend.count(several ? tally(groups, picked, this.legend.rows.length) : null);
    const number = (n) => n.toLocaleString("en");
    const all = shown === cloud.count;
    this.shownNode.textContent = all ? `${number(shown)} pictures` : `${number(shown)} of ${number(cloud.count)} pictures`;
    this.allButton.hidden = !filters.length;
    this.chosenNode.textContent = several ? `${number(several)} picked` : "";
    this.clearButton.hidden = !several;
    this.request();
  }

  countPicked() {
    let sum = 0;
    for (let k = 0; k < this.picked.length; k++) sum += this.picked[k];
    return sum;
  }

  showAll() {
    Object.values(this.hidden).forEach((hidden) => hidden.clear());
    this.legend.press();
    this.relook();
  }

  readTheme() {
    const style = getComputedStyle(this.root);
    const pen = document.createElement("canvas").getContext("2d");
    const pixel = (colour) => {
      pen.fillStyle = colour;
      pen.fillRect(0, 0, 1, 1);
      return rgb(...pen.getImageData(0, 0, 1, 1).data);
    };
    const background = pixel(style.backgroundColor);
    this.theme = {
      background,
      paper: css(background),
      other: luminance(background) < 0.5 ? OTHER_IN_THE_DARK : 0,
      text: style.color,
      primary: style.caretColor, // where explorer.css keeps it, worked out
      font: style.fontFamily,
    };
  }

  paint() {
    if (this.cloud) this.recolour();
  }

  // ---- frames: at most one for each of the screen's, and only after a change

  request() {
    this.stale = true;
    this.requestOver();
  }

  requestOver() {
    this.frame ||= requestAnimationFrame((now) => {
      this.frame = 0;
      if (!this.cloud) return;
      const { stale } = this;
      this.stale = false;
      const drawn = this.maps.map((map) => (stale ? map.draw(now) : map.drawOver()));
      if (!stale || !drawn.every(Boolean)) return;
      this.painted?.();
      this.painted = null;
    });
  }

  // ---- modes

  setMode(mode) {
    this.mode = mode;
    this.modes.forEach((button) => button.setAttribute("aria-pressed", button.dataset.mode === mode));
    this.maps.forEach((map) => (map.over.dataset.mode = mode));
  }

  hang(thumbs) {
    this.sheets = thumbs && new Sheets(thumbs, () => this.onSheet());
    this.picturesButton.hidden = !thumbs;
    if (!thumbs) this.setPictures(false);
  }

  setPictures(pictures) {
    this.pictures = pictures;
    this.picturesButton.setAttribute("aria-pressed", pictures);
    this.request();
  }

  onSheet() {
    if (this.pictures) this.request();
    if (this.shownIn) this.drawCard(this.shownIn);
  }

  get focused() {
    return this.root.getRootNode().activeElement;
  }

  // ---- choosing

  open(index) {
    this.opened = this.active = index;
    this.sent.push({ index, at: performance.now() });
    this.trigger("opened", { of: this.data.of, index });
    this.requestOver();
  }

  pick(indices, add) {
    if (!add) this.picked.fill(0);
    for (const index of indices) this.picked[index] = 1;
    const some = this.countPicked() > 0;
    this.state("picked", some ? { of: this.data.of, bits: packBits(this.picked) } : null);
    this.relook();
  }

  seek() {
    const query = this.search.value.trim().toLowerCase();
    const { cloud, words } = this;
    if (!cloud) return;
    if (!query) {
      this.matches = null;
      this.found.textContent = "";
      return this.relook();
    }
    this.lower ??= words.files.map((file) => file.toLowerCase());
    const classes = words.classes.map((name) => name.toLowerCase().includes(query));
    this.matches = new Uint8Array(cloud.count);
    for (let k = 0; k < cloud.count; k++) {
      this.matches[k] = classes[cloud.labels[k]] || this.lower[k].includes(query) ? 1 : 0;
    }
    this.found.textContent = this.matches.reduce((a, b) => a + b, 0).toLocaleString("en");
    this.relook();
  }

  onSearchKey(event) {
    if (event.key === "Enter" && this.matches) {
      const indices = [...this.matches.keys()].filter((k) => this.matches[k] && this.look[k] !== HIDDEN);
      this.search.value = "";
      this.seek();
      this.pick(indices, event.shiftKey);
    } else if (event.key === "Escape") {
      this.search.value = "";
      this.seek();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  onKey(event, map) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.cloud) return;
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const zooms = { "+": 1.4, "=": 1.4, "-": 1 / 1.4 };
    const { width, height } = map.camera;
    if (event.key in steps) this.step(map, ...steps[event.key]);
    else if (event.key in zooms) map.camera.magnify(zooms[event.key], width / 2, height / 2), this.request();
    else if (event.key === "0") map.reset();
    else if ((event.key === "Enter" || event.key === " ") && this.active !== null) event.repeat || this.open(this.active);
    else if (event.key === "Escape") this.escape(map);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  step(map, right, down) {
    const start = this.active ?? this.opened;
    const middle = () => map.nearest(map.camera.width / 2, map.camera.height / 2, Infinity);
    const next = start === null || this.look[start] === HIDDEN ? middle() : map.towards(start, right, down);
    if (next === null) return;
    this.active = next;
    map.reveal(next);
    this.showCard({ index: next }, map);
    this.spoken.textContent = this.card.querySelector("dl").innerText.replace(/\s+/g, " ");
    this.requestOver();
  }

  escape(map) {
    if (map.drag) map.drag = null;
    else if (this.countPicked()) this.pick([], false);
    this.hideCard();
    this.requestOver();
  }

  // ---- a closer look

  hover(place, map) {
    const mark = place && map.nearestMark(...place);
    const index = place && !mark ? map.nearest(...place) : null;
    if (index !== this.under) {
      this.under = index;
      this.requestOver();
    }
    map.over.style.cursor = index !== null && this.mode === "move" ? "pointer" : "";
    if (mark || index !== null) this.showCard({ index, mark }, map);
    else this.hideCard();
  }

  showCard(what, map) {
    const { index, mark } = what;
    const same = this.shownIn?.index === index && this.shownIn?.mark === mark && this.shownIn?.map === map;
    this.shownIn = { index, mark, map };
    if (!same) {
      this.card.querySelector("dl").replaceChildren(...(mark ? rowsOf([["", mark.name]]) : this.describe(index, map)));
      this.drawCard(this.shownIn);
    }
    if (!this.card.matches(":popover-open")) this.card.showPopover();
    const box = map.over.getBoundingClientRect();
    const [x, y] = mark ? map.place(mark) : [map.places[0][index], map.places[1][index]];
    const { offsetWidth: width, offsetHeight: height } = this.card;
    // Beside the dot where there is room, or else above or below it; never on it.
    const [across, down, gap] = [box.left + x, box.top + y, 18];
    let [left, top] = [across + gap, down - height / 2];
    if (left + width > window.innerWidth - 8) left = across - gap - width;
    if (left < 8) {
      left = Math.min(across - width / 2, window.innerWidth - width - 8);
      top = down - gap - height < 8 ? down + gap : down - gap - height;
    }
    top = Math.min(Math.max(8, top), window.innerHeight - height - 8);
    this.card.style.left = `${Math.max(8, left)}px`;
    this.card.style.top = `${Math.max(8, top)}px`;
  }

  describe(index, map) {
    const { cloud, words } = this;
    const percent = (part, fine = 1) => `${((part / 254) * 100).toFixed(fine ? 0 : 1)} %`;
    const rows = [["", words.files[index]]];
    const [label, prediction, confidence] = [cloud.labels[index], cloud.predictions[index], cloud.confidence[index]];
    if (label !== UNKNOWN) rows.push(["label", words.classes[label]]);
    if (prediction !== UNKNOWN) {
      const verdict = verdictOf(cloud, words, index);
      const wrong = verdict === 1 ? "wrong" : "";
      const sure = confidence !== NONE ? `, ${percent(confidence)}` : "";
      rows.push(["prediction", words.classes[prediction] + sure, wrong]);
      if (verdict === 2 && label !== UNKNOWN) rows.push([FIELDS.verdict, VERDICTS[2]]);
    }
    for (const field of ["trust", "kept"]) {
      const shares = map.told[field];
      if (shares && shares[index] !== NONE) rows.push([FIELDS[field], (shares[index] / 254).toFixed(2)]);
    }
    words.groups.forEach(({ name, names }, k) => {
      if (cloud.groups[k][index] !== UNKNOWN) rows.push([name, names[cloud.groups[k][index]]]);
    });
    words.numbers.forEach(({ name, low, high }, k) => {
      const share = cloud.numbers[k][index];
      if (share !== NONE) rows.push([name, (low + (share / 254) * (high - low)).toPrecision(3)]);
    });
    return rowsOf(rows);
  }

  async drawCard(shown) {
    const canvas = this.card.querySelector("canvas");
    const { index, mark } = shown;
    canvas.hidden = mark ? !mark.thumb : !this.sheets;
    if (canvas.hidden) return;
    let cut = mark ? null : this.sheets.find(index);
    let [width, height] = mark ? [1, 1] : [this.sheets.tile, this.sheets.tile];
    if (mark) {
      const image = new Image();
      image.src = mark.thumb;
      const whole = await image.decode().then(() => image, () => null);
      if (this.shownIn !== shown || !whole) return;
      cut = [whole, 0, 0];
      [width, height] = [whole.naturalWidth, whole.naturalHeight];
    }
    const ratio = window.devicePixelRatio || 1;
    let scale = (CARD * ratio) / Math.max(width, height);
    if (scale > 1) scale = Math.floor(scale);
    [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
    canvas.style.width = `${canvas.width / ratio}px`;
    canvas.style.height = `${canvas.height / ratio}px`;
    if (!cut) return; // the sheet is on its way; onSheet() draws again
    const pen = canvas.getContext("2d");
    pen.imageSmoothingEnabled = scale < 1 || Math.max(width, height) > 64;
    pen.drawImage(cut[0], cut[1], cut[2], width, height, 0, 0, canvas.width, canvas.height);
  }

  hideCard() {
    this.shownIn = null;
    if (this.card.matches(":popover-open")) this.card.hidePopover();
  }
}

// Terms and what they say, as text whatever is in it.
function rowsOf(rows) {
  return rows.map(([term, words, kind]) => {
    const row = document.createElement("div");
    row.className = term ? (kind ?? "") : "file";
    const [dt, dd] = ["dt", "dd"].map((name) => row.appendChild(document.createElement(name)));
    [dt.textContent, dd.textContent] = [term, words];
    return row;
  });
}

// How many points each group has, or of those picked.
function tally(groups, picked, length) {
  const counts = new Uint32Array(length);
  for (let k = 0; k < groups.length; k++) if (!picked || picked[k]) counts[groups[k]]++;
  return counts;
}

// The same order at each visit.
function shuffle(count) {
  const order = new Uint32Array(count);
  for (let k = 0; k < count; k++) order[k] = k;
  let seed = 1;
  for (let k = count - 1; k > 0; k--) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    const other = seed % (k + 1);
    const last = order[k];
    order[k] = order[other];
    order[other] = last;
  }
  return order;
}
