// A pad to draw on. State is kept per element: this function runs again on every change of data.
const pads = new WeakMap()

const SIZE = 256 // pixels of the drawing
const THINNEST = 8
const THICKEST = 40
const USUAL = 20

function build(root) {
  const make = (kind, parent) => parent.appendChild(document.createElement(kind))
  const canvas = make("canvas", root)
  canvas.width = canvas.height = SIZE
  canvas.setAttribute("role", "img")
  const label = make("label", root)
  const name = make("span", label)
  const brush = make("input", label)
  Object.assign(brush, { type: "range", min: THINNEST, max: THICKEST, value: USUAL })
  const line = make("div", root)
  line.className = "line"
  const undo = make("button", line)
  const clear = make("button", line)
  const use = make("button", line)
  for (const button of [undo, clear, use]) button.type = "button"
  use.className = "use"
  return { canvas, name, brush, undo, clear, use, strokes: [], pointer: null }
}

function paint(pad) {
  const context = pad.canvas.getContext("2d")
  context.fillStyle = "#000"
  context.fillRect(0, 0, SIZE, SIZE)
  context.strokeStyle = "#fff"
  context.lineCap = context.lineJoin = "round"
  for (const { width, points } of pad.strokes) {
    context.lineWidth = width
    context.beginPath()
    context.moveTo(...points[0])
    // A single point is a dot: a line of no length with round ends.
    for (const point of points.length > 1 ? points.slice(1) : points) context.lineTo(...point)
    context.stroke()
  }
  const empty = !pad.strokes.length
  for (const button of [pad.undo, pad.clear, pad.use]) button.disabled = empty
}

function place(pad, event) {
  const box = pad.canvas.getBoundingClientRect()
  return [((event.clientX - box.left) / box.width) * SIZE, ((event.clientY - box.top) / box.height) * SIZE]
}

function listen(pad) {
  const { canvas } = pad
  canvas.onpointerdown = event => {
    if (event.button !== 0 || pad.pointer !== null) return
    event.preventDefault()
    canvas.setPointerCapture(event.pointerId)
    pad.pointer = event.pointerId
    pad.strokes.push({ width: Number(pad.brush.value), points: [place(pad, event)] })
    paint(pad)
  }
  canvas.onpointermove = event => {
    if (event.pointerId !== pad.pointer) return
    const events = event.getCoalescedEvents?.() ?? []
    pad.strokes.at(-1).points.push(...(events.length ? events : [event]).map(each => place(pad, each)))
    paint(pad)
  }
  canvas.onpointerup = canvas.onpointercancel = event => {
    if (event.pointerId === pad.pointer) pad.pointer = null
  }
  pad.undo.onclick = () => {
    pad.strokes.pop()
    paint(pad)
  }
  pad.clear.onclick = () => {
    pad.strokes = []
    paint(pad)
  }
}

export default function ({ data: [data] = [], parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".draw-pad")
  if (!root || !data) return
  let pad = pads.get(parentElement)
  if (!pad) {
    pad = build(root)
    pads.set(parentElement, pad)
    listen(pad)
    paint(pad)
  }
  pad.canvas.setAttribute("aria-label", data.pad)
  pad.name.textContent = data.brush
  pad.undo.textContent = data.undo
  pad.clear.textContent = data.clear
  pad.use.textContent = data.use
  pad.use.onclick = () => setTriggerValue("use", pad.canvas.toDataURL("image/png"))
  return () => pads.delete(parentElement)
}
