"use strict";
// What an expert marked: plain data and functions that know nothing of the page.
// Marks of one field: false (numbers of objects), missed ([x, y] in pixels of the whole image), typedFalse and
// typedMissed (null, or a number that counts instead of the clicks), done, seconds.

// No column is called "false": a spreadsheet makes a truth value of it, in its own language.
const HEADER = [
  "expert", "set", "image", "predicted", "false_count", "missed_count", "false_objects", "missed_at", "seconds", "review",
];
const LARGEST_COUNT = 99999;

function noMarks() {
  return { false: [], missed: [], typedFalse: null, typedMissed: null, done: false, seconds: 0 };
}

function falseCount(marks) {
  return marks.typedFalse === null ? marks.false.length : marks.typedFalse;
}

function missedCount(marks) {
  return marks.typedMissed === null ? marks.missed.length : marks.typedMissed;
}

function isBegun(marks) {
  return marks.false.length + marks.missed.length > 0 || marks.typedFalse !== null || marks.typedMissed !== null;
}

function withFalseToggled(marks, number) {
  const others = marks.false.filter((each) => each !== number);
  return { ...marks, false: others.length < marks.false.length ? others : [...marks.false, number] };
}

function withMissed(marks, x, y) {
  return { ...marks, missed: [...marks.missed, [x, y]] };
}

function withoutMissed(marks, place) {
  return { ...marks, missed: marks.missed.filter((_, each) => each !== place) };
}

// The count that a text means: null for an empty one, undefined for what is no count from 0 to `largest`.
function countOf(text, largest) {
  const typed = text.trim();
  if (typed === "") return null;
  const number = Number(typed);
  return /^[0-9]+$/.test(typed) && number <= largest ? number : undefined;
}

function cell(value) {
  const text = String(value);
  return /[",;\r\n\t]|^\s|\s$/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}

// The file that `cpunet review score` reads. Fields that are not done have no counts.
// The mark at its beginning tells Excel that it is UTF-8.
function csvOf(review, expert, allMarks) {
  const lines = review.fields.map((field, place) => {
    const marks = allMarks[place];
    const counts = marks.done ? [falseCount(marks), missedCount(marks)] : ["", ""];
    const objects = marks.done ? marks.false.map((number) => `#${number}`).join(" ") : "";
    const points = marks.done ? marks.missed.map(([x, y]) => `x${x}y${y}`).join(" ") : "";
    const seconds = Math.round(marks.seconds);
    return [expert, field.set, field.image, field.objects.length, ...counts, objects, points, seconds, review.id];
  });
  return "\ufeff" + [HEADER, ...lines].map((line) => line.map(cell).join(",") + "\r\n").join("");
}

function fileNameOf(review, expert) {
  const safe = expert.normalize("NFKD").replace(/[^\w-]+/g, "_").replace(/^_+|_+$/g, "") || "expert";
  return `review-${safe}-${review.id.slice(0, 8)}.csv`;
}

// Progress of each expert, in this browser. Where it keeps nothing, as in some private windows, `works` is false.
class Progress {
  constructor(storage, id) {
    this.storage = storage;
    this.prefix = `cpunet-review:${id}:`;
    this.works = true;
  }

  experts() {
    return this._try(() => {
      const keys = Array.from({ length: this.storage.length }, (_, place) => this.storage.key(place));
      return keys.filter((key) => key.startsWith(this.prefix)).map((key) => key.slice(this.prefix.length)).sort();
    }) || [];
  }

  read(expert) {
    return this._try(() => JSON.parse(this.storage.getItem(this.prefix + expert)));
  }

  write(expert, progress) {
    this._try(() => this.storage.setItem(this.prefix + expert, JSON.stringify(progress)));
  }

  _try(act) {
    try {
      return act();
    } catch (error) {
      this.works = false;
      return null;
    }
  }
}
