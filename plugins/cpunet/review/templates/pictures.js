"use strict";
// The pictures of a field: what is drawn over them, zoom and movement. All show the same part, `view`.

const SVG = "http://www.w3.org/2000/svg";
const MOST_ZOOM = 16;
const DRAG_PX = 5;

let view = null;

function svgElement(name, attributes, parent) {
  const made = document.createElementNS(SVG, name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  if (parent) parent.append(made);
  return made;
}

function makePanel(kind, title, picture, field) {
  const figure = document.createElement("figure");
  figure.className = `panel ${kind}`;
  const caption = document.createElement("figcaption");
  caption.textContent = title;
  const stack = document.createElement("div");
  stack.className = "stack";
  const below = svgElement("svg", { class: "picture", "aria-hidden": "true" }, stack);
  svgElement("image", { href: picture, width: field.width, height: field.height }, below);
  const above = svgElement("svg", { class: "overlay", role: "img", "aria-label": title }, stack);
  const halos = svgElement("g", { class: "halos", transform: "scale(0.5)" }, above);
  const objects = svgElement("g", { class: "objects", transform: "scale(0.5)" }, above);
  for (const [number, path] of field.objects) {
    if (kind === "outlined") svgElement("path", { d: path }, halos);
    svgElement("path", { d: path, "data-number": number }, objects);
  }
  svgElement("g", { class: "missed" }, above);
  above.addEventListener("pointerdown", startDrag);
  above.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1.25 : 0.8, pointOf(event));
  }, { passive: false });
  figure.append(caption, stack);
  return figure;
}

function showView() {
  const field = review.fields[place];
  view.width = Math.min(view.width, field.width);
  view.height = Math.min(view.height, field.height);
  view.x = Math.min(Math.max(view.x, 0), field.width - view.width);
  view.y = Math.min(Math.max(view.y, 0), field.height - view.height);
  const box = [view.x, view.y, view.width, view.height].join(" ");
  document.querySelectorAll("#panels svg").forEach((svg) => svg.setAttribute("viewBox", box));
  element("zoomed").textContent = `${(field.width / view.width).toFixed(1)}x`;
  showMissed();
}

function zoom(factor, point) {
  const field = review.fields[place];
  const center = point || [view.x + view.width / 2, view.y + view.height / 2];
  const width = Math.min(Math.max(view.width / factor, field.width / MOST_ZOOM), field.width);
  const scale = width / view.width;
  view = {
    x: center[0] - (center[0] - view.x) * scale,
    y: center[1] - (center[1] - view.y) * scale,
    width,
    height: view.height * scale,
  };
  showView();
}

function move(right, down) {
  view.x += right * view.width;
  view.y += down * view.height;
  showView();
}

// Where an event is, in pixels of the picture.
function pointOf(event) {
  const svg = event.target.closest("svg");
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  return [point.x, point.y];
}

function startDrag(event) {
  if (event.button !== 0) return;
  const svg = event.currentTarget;
  const target = event.target;
  const from = pointOf(event);
  const start = [event.clientX, event.clientY];
  let isDrag = false;
  const onMove = (moved) => {
    isDrag = isDrag || Math.hypot(moved.clientX - start[0], moved.clientY - start[1]) > DRAG_PX;
    if (!isDrag) return;
    const point = new DOMPoint(moved.clientX, moved.clientY).matrixTransform(svg.getScreenCTM().inverse());
    view.x += from[0] - point.x;
    view.y += from[1] - point.y;
    showView();
  };
  const onEnd = (ended) => {
    svg.removeEventListener("pointermove", onMove);
    svg.removeEventListener("pointerup", onEnd);
    svg.removeEventListener("pointercancel", onEnd);
    if (ended.type === "pointerup" && !isDrag) click(target, from, event.shiftKey);
  };
  svg.setPointerCapture(event.pointerId);
  svg.addEventListener("pointermove", onMove);
  svg.addEventListener("pointerup", onEnd);
  svg.addEventListener("pointercancel", onEnd);
}
