/** Building DOM without markup in strings, so that no text can turn into an element. */

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes (`text` sets its content, functions become listeners) and children. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === false) continue;
    if (name === "text") element.textContent = value;
    else if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

const PATHS = {
  chat: "M12 3.5c-5 0-9 3.4-9 7.7 0 2.4 1.3 4.6 3.3 6l-.6 3.1a.5.5 0 0 0 .7.5l3.5-1.7c.7.1 1.4.2 2.1.2 5 0 9-3.5 9-8.1s-4-7.7-9-7.7Z",
  close: "M6 6l12 12M18 6 6 18",
  grow: "M14 4h6v6M20 4l-7 7M10 20H4v-6M4 20l7-7",
  send: "M4.5 12h14M12.5 5.5 19 12l-6.5 6.5",
  down: "M12 5v13M6 12.5l6 6 6-6",
  swap: "M4 8h14M14 4l4 4-4 4M20 16H6M10 12l-4 4 4 4",
};

/** One of our line drawings, hidden from screen readers: the button around it carries the name. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `icon icon-${name}`);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
