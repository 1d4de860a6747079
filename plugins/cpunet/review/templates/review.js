"use strict";
// The page: what is shown, and what keys and clicks do.

const review = JSON.parse(document.getElementById("review-data").textContent);
const element = (id) => document.getElementById(id);
const MOST_UNDONE = 500;
// Longer pauses are not counted as time at work.
const IDLE_MS = 60000;

let storage = null;
try {
  storage = window.localStorage;
} catch (error) {
  // A browser that keeps nothing refuses even to name it; `Progress` says so.
}
const kept = new Progress(storage, review.id);
let expert = null;
let allMarks = [];
let place = 0;
let before = [];
let isSaved = true;
let lastAct = Date.now();

function keep() {
  kept.write(expert, { marks: allMarks, place });
  element("not-kept").hidden = kept.works;
}

// Each change of marks goes through here, so that each can be undone.
function change(marks) {
  before.push([place, allMarks[place]]);
  before = before.slice(-MOST_UNDONE);
  allMarks[place] = marks;
  isSaved = false;
  keep();
  showMarks();
}

function undo() {
  const last = before.pop();
  if (!last) return say("There is nothing to undo.");
  const [where, marks] = last;
  allMarks[where] = { ...marks, seconds: allMarks[where].seconds };
  isSaved = false;
  if (where === place) showMarks();
  else showField(where);
  keep();
  say("Undone.");
}

function say(text) {
  element("said").textContent = text;
}

function plural(count, word) {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

// --- a field ---

function showField(which) {
  place = which;
  const field = review.fields[place];
  const panels = [["outlined", "Image with the objects that were found", field.picture], ["plain", "Image", field.picture]];
  if (field.stain) panels.push(["stain", "Stain", field.stain]);
  element("panels").replaceChildren(...panels.map((each) => makePanel(...each, field)));
  element("panels").classList.toggle("three", panels.length === 3);
  view = { x: 0, y: 0, width: field.width, height: field.height };
  element("title").textContent = `Image ${place + 1} of ${review.fields.length}: ${field.image}`;
  element("of-set").textContent = `set ${field.set}` + (field.isPart ? ", a part of a larger image" : "");
  element("previous").disabled = place === 0;
  element("next").disabled = place === review.fields.length - 1;
  say("");
  showView();
  showMarks();
}

// With Shift, a missed object is marked also inside an outline.
function click(target, [x, y], isMissed) {
  const field = review.fields[place];
  const marks = allMarks[place];
  const mark = target.closest("[data-place]");
  if (mark) {
    change(withoutMissed(marks, Number(mark.dataset.place)));
    say("The mark is gone.");
  } else if (target.dataset.number && !isMissed) {
    const number = Number(target.dataset.number);
    change(withFalseToggled(marks, number));
    say(marks.false.includes(number) ? `Object ${number} is right again.` : `Object ${number} is false.`);
  } else if (x >= 0 && y >= 0 && x < field.width && y < field.height) {
    change(withMissed(marks, field.left + Math.floor(x), field.top + Math.floor(y)));
    say("Marked: an object was missed here.");
  }
}

// --- the marks ---

function showMissed() {
  const field = review.fields[place];
  document.querySelectorAll("#panels .overlay").forEach((svg) => {
    const matrix = svg.getScreenCTM();
    const unit = matrix && matrix.a > 0 ? 1 / matrix.a : 1;
    const group = svg.querySelector(".missed");
    group.replaceChildren(...allMarks[place].missed.map(([x, y], number) => {
      const at = `translate(${x - field.left + 0.5} ${y - field.top + 0.5}) scale(${unit})`;
      const mark = svgElement("g", { transform: at, "data-place": number });
      for (const name of ["halo", "sign"]) {
        svgElement("path", { class: name, d: "M-9 0a9 9 0 1 0 18 0a9 9 0 1 0 -18 0zM-14 0h8M6 0h8M0 -14v8M0 6v8" }, mark);
      }
      return mark;
    }));
  });
}

function showMarks() {
  const field = review.fields[place];
  const marks = allMarks[place];
  const chosen = new Set(marks.false);
  document.querySelectorAll("#panels .objects").forEach((group) => {
    const paths = Array.from(group.children);
    paths.forEach((path) => path.classList.toggle("false", chosen.has(Number(path.dataset.number))));
    // Drawn last, so that no neighbor's outline hides theirs.
    group.append(...paths.filter((path) => path.classList.contains("false")));
  });
  showMissed();
  element("predicted").textContent = field.objects.length;
  showCount("false", marks.typedFalse, marks.false.length);
  showCount("missed", marks.typedMissed, marks.missed.length);
  element("done").textContent = marks.done ? "Done ✓, next" : "Done, next";
  element("undo").disabled = before.length === 0;
  showStrip();
}

function showCount(name, typed, clicked) {
  const input = element(`${name}-count`);
  if (document.activeElement !== input) input.value = typed === null ? clicked : typed;
  input.removeAttribute("aria-invalid");
  element(`${name}-from`).textContent = typed === null ? "clicked" : `typed; ${clicked} clicked. Empty it to count clicks`;
}

function takeCount(name, key) {
  const input = element(`${name}-count`);
  const marks = allMarks[place];
  const largest = name === "false" ? review.fields[place].objects.length : LARGEST_COUNT;
  const count = countOf(input.value, largest);
  if (count === undefined) {
    input.setAttribute("aria-invalid", "true");
    input.select();
    say(`"${input.value}" is no count: type a whole number from 0 to ${largest}.`);
    return false;
  }
  // A number that is what was clicked already is no typed one.
  const clicked = marks[name].length;
  const typed = count === clicked && marks[key] === null ? null : count;
  if (typed !== marks[key]) change({ ...marks, [key]: typed });
  else showMarks();
  return true;
}

function takeCounts() {
  return takeCount("false", "typedFalse") && takeCount("missed", "typedMissed");
}

function showStrip() {
  const buttons = Array.from(element("strip").children);
  buttons.forEach((button, which) => {
    const marks = allMarks[which];
    const state = marks.done ? "done" : isBegun(marks) ? "begun" : "open";
    button.className = state;
    button.textContent = marks.done ? `${which + 1} ✓` : isBegun(marks) ? `${which + 1} …` : which + 1;
    button.title = `${review.fields[which].image}: ${state === "open" ? "not done" : state}`;
    if (which === place) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  });
  const done = allMarks.filter((marks) => marks.done).length;
  element("progress").textContent = `${done} of ${review.fields.length} done`;
}

// --- what the expert does ---

function go(which) {
  if (which < 0 || which >= review.fields.length || !takeCounts()) return;
  document.activeElement.blur();
  showField(which);
  keep();
}

function finish() {
  if (!takeCounts()) return;
  document.activeElement.blur();
  if (!allMarks[place].done) change({ ...allMarks[place], done: true });
  const next = allMarks.findIndex((marks, which) => which > place && !marks.done);
  const open = next >= 0 ? next : allMarks.findIndex((marks) => !marks.done);
  if (open >= 0) return go(open);
  say("All images are done. Save them, and send the file to whoever gave you this page.");
  element("save").focus();
}

function askToSave() {
  if (!takeCounts()) return;
  const open = allMarks.map((marks, which) => [marks, which]).filter(([marks]) => !marks.done);
  if (!open.length) return save();
  const begun = open.filter(([marks]) => isBegun(marks)).length;
  element("unfinished").textContent =
    `${plural(open.length, "image")} ${open.length === 1 ? "is" : "are"} not done` + (begun ? `, ${begun} of them with marks` : "") +
    ". Only images that are done are counted. You can save again later.";
  element("ask").showModal();
}

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csvOf(review, expert, allMarks)], { type: "text/csv;charset=utf-8" }));
  link.download = fileNameOf(review, expert);
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  isSaved = true;
  say(`Saved as ${link.download}, in the folder of your downloads. Send this file to whoever gave you this page.`);
}

function start(name) {
  expert = name;
  const read = kept.read(expert);
  const fits = read && Array.isArray(read.marks) && read.marks.length === review.fields.length;
  allMarks = review.fields.map((_, which) => ({ ...noMarks(), ...(fits ? read.marks[which] : {}) }));
  before = [];
  document.activeElement.blur(); // the name's box would take the first key
  document.body.classList.add("reviewing");
  element("start").hidden = true;
  element("review").hidden = false;
  element("expert").textContent = expert;
  element("strip").replaceChildren(...review.fields.map((_, which) => {
    const button = document.createElement("button");
    button.type = "button";
    button.addEventListener("click", () => go(which));
    return button;
  }));
  showField(fits && review.fields[read.place] ? read.place : 0);
  keep();
}

function showStart() {
  const names = kept.experts();
  element("known").replaceChildren(...names.map((name) => {
    const read = kept.read(name);
    const done = read && Array.isArray(read.marks) ? read.marks.filter((marks) => marks.done).length : 0;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `Go on as ${name} (${done} of ${review.fields.length} done)`;
    button.addEventListener("click", () => start(name));
    return button;
  }));
}

function onKey(event) {
  if (element("review").hidden || element("ask").open) return;
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
    event.preventDefault();
    return undo();
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const isCount = event.target.matches("#false-count, #missed-count");
  if (isCount && event.key === "Escape") {
    event.target.value = "";
    event.target.blur();
    return takeCounts();
  }
  if (event.key === "Enter" && (isCount || !event.target.matches("button, input, summary"))) {
    event.preventDefault();
    return finish();
  }
  if (event.target.matches("input")) return;
  const act = {
    ArrowLeft: () => (event.shiftKey ? move(-0.2, 0) : go(place - 1)),
    ArrowRight: () => (event.shiftKey ? move(0.2, 0) : go(place + 1)),
    ArrowUp: () => event.shiftKey && move(0, -0.2),
    ArrowDown: () => event.shiftKey && move(0, 0.2),
    "+": () => zoom(1.5),
    "=": () => zoom(1.5),
    "-": () => zoom(1 / 1.5),
    0: () => zoom(1 / MOST_ZOOM),
    f: () => element("false-count").select(),
    m: () => element("missed-count").select(),
    o: () => element("outlines").click(),
    u: undo,
    s: askToSave,
  }[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
}

element("naming").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = element("name").value.trim().replace(/\s+/g, " ");
  if (name) start(name);
});
element("previous").addEventListener("click", () => go(place - 1));
element("next").addEventListener("click", () => go(place + 1));
element("done").addEventListener("click", finish);
element("undo").addEventListener("click", undo);
element("save").addEventListener("click", askToSave);
element("save-anyway").addEventListener("click", () => {
  element("ask").close();
  save();
});
element("go-on").addEventListener("click", () => {
  element("ask").close();
  go(allMarks.findIndex((marks) => !marks.done));
});
element("zoom-in").addEventListener("click", () => zoom(1.5));
element("zoom-out").addEventListener("click", () => zoom(1 / 1.5));
element("whole").addEventListener("click", () => zoom(1 / MOST_ZOOM));
element("outlines").addEventListener("change", (event) => {
  element("panels").classList.toggle("without-outlines", !event.target.checked);
});
for (const name of ["brightness", "contrast"]) {
  element(name).addEventListener("input", (event) => element("panels").style.setProperty(`--${name}`, event.target.value));
}
element("reset").addEventListener("click", () => {
  for (const name of ["brightness", "contrast"]) {
    element(name).value = 1;
    element("panels").style.setProperty(`--${name}`, 1);
  }
});
element("false-count").addEventListener("change", () => takeCount("false", "typedFalse"));
element("missed-count").addEventListener("change", () => takeCount("missed", "typedMissed"));
document.addEventListener("keydown", onKey);
window.addEventListener("resize", () => expert !== null && showMissed());
for (const kind of ["pointerdown", "pointermove", "keydown", "wheel"]) {
  document.addEventListener(kind, () => { lastAct = Date.now(); }, { passive: true });
}
setInterval(() => {
  if (expert === null || document.hidden || Date.now() - lastAct > IDLE_MS) return;
  allMarks[place] = { ...allMarks[place], seconds: allMarks[place].seconds + 1 };
}, 1000);
document.addEventListener("visibilitychange", () => document.hidden && expert !== null && keep());
window.addEventListener("beforeunload", (event) => {
  if (expert === null) return;
  keep();
  if (kept.works || isSaved) return;
  event.preventDefault();
  event.returnValue = ""; // older browsers ask by this
});
showStart();
