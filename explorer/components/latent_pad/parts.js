// Small things that the parts of the pad share.
const SVG = "http://www.w3.org/2000/svg"

function make(tag, className = "", properties = {}) {
  const node = document.createElement(tag)
  if (className) node.className = className
  return Object.assign(node, properties)
}

// Carry a node over a box whose size nobody need know: `carry.at(x, y)` in shares of its width and height from its
// middle. Nothing is laid out anew, which `left` and `top` would ask for at each step of the pointer.
function makeCarry(node) {
  const carry = make("i", "carry")
  carry.append(node)
  carry.at = (x, y = 0) => (carry.style.transform = `translate(${100 * x}%, ${100 * y}%)`)
  return carry
}

function makeSvg(tag, attributes = {}) {
  const node = document.createElementNS(SVG, tag)
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value)
  return node
}

function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value))
}

function signed(value) {
  const text = Math.abs(value).toFixed(2)
  return text === "0.00" ? text : `${value < 0 ? "−" : "+"}${text}`
}

function fill(template, values) {
  return template.replace(/\{(\w+)\}/g, (_, name) => values[name])
}

// Call fit after the size of a node or of the window has changed; returns what ends that.
function onResize(node, fit) {
  const resized = () => fit()
  const observer = new ResizeObserver(resized)
  observer.observe(node)
  window.addEventListener("resize", resized)
  return () => {
    observer.disconnect()
    window.removeEventListener("resize", resized)
  }
}

// Report every move of a captured pointer at once. `pointermove` waits for the next frame, up to 17 ms; where the
// browser has it, `pointerrawupdate` does not.
function trackPointer(node, { start, move, end }) {
  let active = null
  let last = ""
  const moved = event => {
    const place = `${event.clientX} ${event.clientY}`
    if (event.pointerId !== active || place === last) return
    last = place
    move(event)
  }
  const ended = event => {
    if (event.pointerId !== active) return
    active = null
    node.removeEventListener("pointerrawupdate", moved)
    node.classList.remove("dragged")
    end(event)
  }
  node.addEventListener("pointerdown", event => {
    if (active !== null || event.button > 0 || start(event) === false) return
    active = event.pointerId
    last = `${event.clientX} ${event.clientY}`
    node.setPointerCapture(active)
    node.addEventListener("pointerrawupdate", moved)
    node.classList.add("dragged")
  })
  node.addEventListener("pointermove", moved)
  node.addEventListener("pointerup", ended)
  node.addEventListener("pointercancel", ended)
  node.addEventListener("lostpointercapture", ended)
  return () => active !== null
}

const ICONS = {
  ease: "M2 12 C 6 12 6 4 10 4 L 14 4",
  soft: "M8 2 C8 2 3.5 6.6 3.5 9.8 A4.5 4.5 0 0 0 12.5 9.8 C12.5 6.6 8 2 8 2 Z",
  figures: "M3 13 V9 M8 13 V3 M13 13 V6",
  lasso: "M8 2.5 C 12 2.5 14.5 4.4 14.5 6.7 S 11.5 11 8 11 S 1.5 9 1.5 6.7 S 4 2.5 8 2.5 M5 10.6 C 3.6 11.6 5.4 12.6 4 14.5",
  less: "M3 8 H13",
  more: "M3 8 H13 M8 3 V13",
  save: "M8 2 V9.5 M4.5 6.5 L 8 10 L 11.5 6.5 M3 13.5 H13",
  full: "M6 2 H2 V6 M10 2 H14 V6 M14 10 V14 H10 M2 10 V14 H6",
}

function makeIcon(name) {
  const icon = makeSvg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" })
  icon.append(makeSvg("path", { d: ICONS[name] }))
  return icon
}
