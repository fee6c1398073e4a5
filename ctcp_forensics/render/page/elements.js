// Elements of the page: found by their name, or made with text as text.
// Knows the document. Does not know what it is about.

const element = (id) => document.getElementById(id);

function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// What a legend's entry looks like in the diagram.
function sign(kind, color) {
  const shapes = {
    hole: ["rect", { x: 1, y: 3, width: 12, height: 8, fill: color, stroke: colorOf(STYLES.hole.edge), "stroke-width": 1 }],
    acked: ["path", { d: "M1 11H7V3H13" }],
    asked: ["circle", { cx: 7, cy: 7, r: 3, fill: color, stroke: "none" }],
    again: ["path", { d: "M7 1V13M3 7L7 3L11 7L7 11Z" }],
    filling: ["path", { d: "M7 2V12M3 2H11M3 12H11" }],
    lost: ["path", { d: "M3 3L11 11M3 11L11 3" }],
    turns: ["path", { d: "M7 1V13", "stroke-dasharray": "2 2" }],
    reset: ["path", { d: "M7 1V13", "stroke-dasharray": "5 2" }],
    sacked: ["path", { d: "M7 2V12", "stroke-dasharray": "4 1" }],
    copied: ["path", { d: "M7 2V12", "stroke-dasharray": "1 1" }],
  };
  const [tag, attributes] = shapes[kind] ?? ["path", { d: "M7 2V12" }];
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const shape = document.createElementNS(svg.namespaceURI, tag);
  for (const [name, value] of Object.entries({ fill: "none", stroke: color, "stroke-width": 2, ...attributes })) shape.setAttribute(name, value);
  svg.setAttribute("viewBox", "0 0 14 14");
  svg.setAttribute("aria-hidden", "true");
  svg.append(shape);
  return svg;
}
