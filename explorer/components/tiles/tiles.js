// A grid of pictures cut from one sheet. State is kept per element: this function runs again on every change of
// data, and several grids share a page.
const grids = new WeakMap()

const GAP = 6
const CHOICE_GAP = 14 // what is chosen has a ring
const WIDEST_GAP = 16
const LEAST = 0.9 // share of the room that a tile takes: less of it is lost to whole pixels

function build(root, data) {
  root.replaceChildren()
  root.setAttribute("role", "group")
  const buttons = []
  const add = (kind, text) => {
    const node = document.createElement("div")
    node.className = kind
    node.textContent = text
    root.append(node)
  }
  if (data.heads.length) {
    if (data.rows.length) add("corner", "")
    data.heads.forEach(text => add("head", text))
  }
  data.names.forEach((name, index) => {
    if (data.rows.length && index % data.columns === 0) add("row", data.rows[index / data.columns] ?? "")
    const button = document.createElement("button")
    button.type = "button"
    button.className = "tile"
    button.tabIndex = index === 0 ? 0 : -1 // one tab stop; arrow keys move inside
    const canvas = document.createElement("canvas")
    canvas.width = data.size[0]
    canvas.height = data.size[1]
    button.append(canvas)
    if (data.choice === undefined) root.append(button)
    else {
      const cell = document.createElement("div") // with room for what is said of it later
      cell.className = "cell"
      const note = document.createElement("div")
      note.className = "note"
      cell.append(button, note)
      root.append(cell)
    }
    buttons.push(button)
  })
  return buttons
}

function describe(root, grid, data) {
  root.setAttribute("aria-label", data.label)
  root.querySelectorAll(".row").forEach((node, i) => (node.textContent = data.rows[i] ?? ""))
  const marked = new Set(data.marks)
  grid.buttons.forEach((button, index) => {
    button.title = data.names[index]
    button.setAttribute("aria-label", data.names[index])
    button.classList.toggle("marked", marked.has(index))
    if (marked.size) button.setAttribute("aria-pressed", String(marked.has(index)))
  })
}

// Several pictures can be pressed, until that is locked: then each says whether it was rightly so.
function showChoice(grid) {
  const { data, chosen } = grid
  grid.buttons.forEach((button, index) => {
    const verdict = data.verdicts?.[index] ?? ""
    button.setAttribute("aria-pressed", String(chosen.has(index)))
    button.setAttribute("aria-disabled", String(data.locked))
    button.className = ["tile", chosen.has(index) && "picked", data.locked && "locked", verdict]
      .filter(Boolean)
      .join(" ")
    button.nextSibling.textContent = data.notes?.[index] ?? ""
    button.nextSibling.className = `note ${verdict}`
  })
}

async function load(grid, data) {
  const image = new Image()
  image.src = `data:image/png;base64,${data.sheet}`
  try {
    await image.decode()
  } catch {
    return // a damaged sheet leaves the tiles empty
  }
  if (grid.sheet !== data.sheet) return // a newer one is on its way
  grid.image = image
  draw(grid)
}

function draw({ buttons, data, image, times }) {
  const [width, height] = data.size
  buttons.forEach((button, index) => {
    const canvas = button.firstChild
    canvas.width = times * width
    canvas.height = times * height
    if (!image) return
    const x = (index % data.sheetColumns) * width
    const y = Math.floor(index / data.sheetColumns) * height
    const context = canvas.getContext("2d")
    context.imageSmoothingEnabled = false
    context.drawImage(image, x, y, width, height, 0, 0, canvas.width, canvas.height)
  })
}

// Every picture pixel covers the same whole number of screen pixels. Where that would leave much of the room empty,
// the picture is enlarged to the next whole number and the browser makes it smaller: nearly as crisp, and even.
function fit(root, grid) {
  const { data } = grid
  if (!data || !root.clientWidth) return
  const longest = Math.max(0, ...data.rows.map(text => text.length))
  const labels = longest && Math.min(132, 14 + 7 * longest)
  const free = !data.rows.length && !data.heads.length && data.choice === undefined
  const narrow = free && root.clientWidth < 520
  const columns = narrow ? Math.ceil(data.columns / 2) : data.columns
  const gap = data.choice === undefined ? GAP : CHOICE_GAP
  const room = root.clientWidth - labels - gap * (columns - (labels ? 0 : 1))
  const ratio = window.devicePixelRatio || 1
  const wide = Math.max(8, Math.min(data.largest, room / columns))
  const exact = (wide * ratio) / data.size[0]
  const whole = Math.floor(exact) >= LEAST * exact
  const tile = whole ? (Math.floor(exact) * data.size[0]) / ratio : wide
  const times = whole ? 1 : Math.ceil(exact)
  root.classList.toggle("between", !whole)
  if (times !== grid.times) {
    grid.times = times
    draw(grid)
  }
  grid.columns = columns
  const spare = room - tile * columns
  root.style.columnGap = `${Math.min(WIDEST_GAP, gap + Math.max(0, spare) / columns)}px`
  root.style.rowGap = root.style.columnGap
  root.style.setProperty("--tile", `${tile}px`)
  root.style.gridTemplateColumns = `${labels ? `${labels}px ` : ""}repeat(${columns}, ${tile}px)`
}

function walk(grid, event) {
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -grid.columns, ArrowDown: grid.columns }
  const from = grid.buttons.indexOf(event.target.closest(".tile"))
  const jumps = { Home: 0, End: grid.buttons.length - 1 }
  const to = event.key in jumps ? jumps[event.key] : from + steps[event.key]
  if (from < 0 || !grid.buttons[to]) return
  event.preventDefault()
  grid.buttons[from].tabIndex = -1
  grid.buttons[to].tabIndex = 0
  grid.buttons[to].focus()
}

export default function ({ data: [data] = [], parentElement, setTriggerValue, setStateValue }) {
  const root = parentElement.querySelector(".tiles")
  if (!root || !data) return
  let grid = grids.get(parentElement)
  const layout = JSON.stringify([data.size, data.names.length, data.columns, data.rows.length, data.heads, data.choice !== undefined])
  if (!grid) {
    grid = { observer: new ResizeObserver(() => fit(root, grid)), times: 1 }
    grids.set(parentElement, grid)
    grid.observer.observe(root)
  }
  grid.data = data
  if (grid.layout !== layout) {
    grid.layout = layout
    grid.buttons = build(root, data)
  }
  fit(root, grid)
  describe(root, grid, data)
  if (data.choice !== undefined) {
    // What is pressed here is newer than what the page knew when it was drawn.
    if (grid.choice !== data.choice || data.locked) grid.chosen = new Set(data.chosen)
    grid.choice = data.choice
    showChoice(grid)
  }
  if (grid.sheet !== data.sheet || grid.drawn !== layout) {
    grid.sheet = data.sheet
    grid.drawn = layout
    grid.image = null
    load(grid, data)
  }
  root.onclick = event => {
    const index = grid.buttons.indexOf(event.target.closest(".tile"))
    if (index < 0 || grid.data.locked) return
    if (grid.data.choice === undefined) return setTriggerValue("open", index)
    if (!grid.chosen.delete(index)) grid.chosen.add(index)
    showChoice(grid)
    setStateValue("chosen", [...grid.chosen].sort((a, b) => a - b))
  }
  root.onkeydown = event => walk(grid, event)
  return () => {
    grid.observer.disconnect()
    grids.delete(parentElement)
  }
}
