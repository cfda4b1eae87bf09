// What the dots are coloured by, and the groups that follow: their names, counts and switches.

const FIELDS = {
  label: "label",
  prediction: "prediction",
  verdict: "right or wrong",
  confidence: "confidence",
  trust: "trust",
  kept: "neighbours kept",
};
const VERDICTS = ["right", "wrong", "cannot be judged"];

// Which of the verdicts: a label that is no class of the network is neither.
function verdictOf(cloud, words, k) {
  const [label, prediction] = [cloud.labels[k], cloud.predictions[k]];
  if (label === UNKNOWN || prediction === UNKNOWN || !words.judged[label]) return 2;
  return label === prediction ? 0 : 1;
}

// A column of the pictures' table, as a field.
const COLUMN = "column ";
const titleOf = (field) => FIELDS[field] ?? field.slice(COLUMN.length);

// Those of which something is known.
function fieldsOf(cloud, words) {
  const some = (numbers, none) => numbers?.some((number) => number !== none);
  const [label, prediction] = [some(cloud.labels, UNKNOWN), some(cloud.predictions, UNKNOWN)];
  const known = {
    label,
    prediction,
    verdict: label && prediction,
    confidence: some(cloud.confidence, NONE),
    trust: cloud.maps.some((map) => some(map.trust, NONE)),
    kept: cloud.maps.some((map) => some(map.kept, NONE)),
  };
  const columns = [...words.groups, ...words.numbers].map(({ name }) => COLUMN + name);
  return [...Object.keys(FIELDS).filter((field) => known[field]), ...columns];
}

// Those that put each picture into a group, by which it may be hidden.
function groupingsOf(words) {
  return ["label", "prediction", "verdict", ...words.groups.map(({ name }) => COLUMN + name)];
}

// A continuous field is shown over the classes.
function groupingOf(field, fields, groupings) {
  if (groupings.includes(field)) return field;
  return fields.includes("label") || !fields.includes("prediction") ? "label" : "prediction";
}

// The group of each point; unknown ones come last.
function groupsOf(cloud, grouping, words) {
  const classes = words.classes.length;
  const column = words.groups.findIndex(({ name }) => COLUMN + name === grouping);
  if (column >= 0) {
    const last = words.groups[column].names.length;
    return cloud.groups[column].map((number) => (number === UNKNOWN ? last : number));
  }
  if (grouping === "verdict") {
    return Uint16Array.from({ length: cloud.count }, (_, k) => verdictOf(cloud, words, k));
  }
  const numbers = grouping === "label" ? cloud.labels : cloud.predictions;
  return numbers.map((number) => (number === UNKNOWN ? classes : number));
}

class Legend {
  constructor(node, changed) {
    this.node = node;
    this.list = node.querySelector(".groups");
    this.changed = changed;
    this.list.addEventListener("click", (event) => this.onClick(event));
    this.list.addEventListener("dblclick", (event) => this.onClick(event, true));
    const bar = node.querySelector(".scale canvas").getContext("2d");
    const pixels = new ImageData(256, 1);
    new Uint32Array(pixels.data.buffer).set(RAMP.map((_, k) => RAMP[Math.min(k, 254)]));
    bar.putImageData(pixels, 0, 0);
  }

  // rows: { name, colour, total, other } of each group; those without points are left out, and the others, which have
  // no colour of their own, come last. ends: of a continuous field.
  build(rows, hidden, ends) {
    const continuous = ends !== null;
    this.hidden = hidden;
    this.node.querySelector(".scale").hidden = !continuous;
    const written = (number) => Number(number.toPrecision(4)).toString();
    const [low, high] = ends ?? [0, 1];
    [low, (low + high) / 2, high].forEach((number, k) => {
      this.node.querySelectorAll(".scale span")[k].textContent = written(number);
    });
    this.list.classList.toggle("plain", continuous);
    this.rows = rows.map((row, group) => {
      if (!row.total) return null;
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.group = group;
      const [swatch, name, count] = ["swatch", "name", "count"].map((part) => {
        const span = document.createElement("span");
        span.className = part;
        return button.appendChild(span);
      });
      swatch.style.setProperty("--colour", row.colour);
      button.title = "Click to hide or show; shift-click or double-click for this one only";
      return { ...row, button, nameNode: name, count };
    });
    const told = this.rows.filter(Boolean);
    const others = continuous ? [] : told.filter((row) => row.other);
    const heading = document.createElement("p");
    heading.textContent = `${others.length} other classes, in grey`;
    const own = told.filter((row) => !others.includes(row));
    this.list.replaceChildren(...[...own, ...(others.length ? [{ button: heading }, ...others] : [])].map((row) => row.button));
    this.rename(rows.map((row) => row.name));
    this.press();
  }

  rename(names) {
    this.rows.forEach((row, group) => {
      if (row) row.nameNode.textContent = row.nameNode.title = names[group];
    });
  }

  press() {
    this.rows.forEach((row, group) => row?.button.setAttribute("aria-pressed", !this.hidden.has(group)));
  }

  // Picked points of each group, or null when none is picked.
  count(picked) {
    this.rows.forEach((row, group) => {
      if (!row) return;
      const total = row.total.toLocaleString("en");
      row.count.textContent = picked ? `${picked[group].toLocaleString("en")} / ${total}` : total;
    });
  }

  onClick(event, twice = false) {
    const button = event.target.closest("button");
    if (!button) return;
    const group = Number(button.dataset.group);
    const others = this.rows.flatMap((row, number) => (row && number !== group ? [number] : []));
    if (twice || event.altKey || event.shiftKey) {
      const alone = !this.hidden.has(group) && others.every((number) => this.hidden.has(number));
      this.hidden.clear();
      if (!alone) others.forEach((number) => this.hidden.add(number));
    } else if (!this.hidden.delete(group)) {
      this.hidden.add(group);
    }
    this.press();
    this.changed();
  }
}
