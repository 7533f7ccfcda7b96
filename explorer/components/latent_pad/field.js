// The plane of two directions: a dot that moves both, over the rings of the prior.
class Field {
  // on: { start(), move([x, y], stamp), end(), nudge([x, y], stamp), reset(), choose([x, y], changed), keep(on) }
  constructor(on) {
    this.node = make("div", "field")
    this.plane = make("div", "plane", { tabIndex: 0 })
    this.plane.setAttribute("role", "slider")
    this.drawing = makeSvg("svg", { "aria-hidden": "true", preserveAspectRatio: "none" })
    this.grid = makeSvg("path", { class: "grid" })
    this.rings = [1, 2, 3].map(r => makeSvg("circle", { class: "ring", r }))
    this.zero = makeSvg("path", { class: "zero" })
    this.cross = makeSvg("path", { class: "cross" })
    this.drawing.append(this.grid, ...this.rings, this.zero, this.cross)
    this.from = makeCarry(make("i", "from"))
    this.dot = makeCarry(make("i", "dot"))
    this.plane.append(this.drawing, this.from, this.dot)
    this.selects = [make("select"), make("select")]
    const words = [make("span"), make("span")]
    this.words = words
    const axes = make("div", "axes")
    this.selects.forEach((select, i) => {
      const label = make("label", "axis")
      label.append(words[i], select)
      axes.append(label)
      select.addEventListener("change", () => on.choose(this.selects.map(one => Number(one.value)), i))
    })
    this.keep = make("input", "", { type: "checkbox" })
    this.keep.setAttribute("role", "switch")
    this.keep.addEventListener("change", () => on.keep(this.keep.checked))
    this.keepWord = make("span")
    this.switch = make("label", "switch")
    this.switch.append(this.keep, this.keepWord)
    axes.prepend(this.switch)
    this.node.append(this.plane, axes)
    this.coordinates = [0, 0]
    this.reach = REACH
    this.#listen(on)
  }

  #listen(on) {
    let box = null
    const place = event => {
      const x = (2 * clamp((event.clientX - box.left) / box.width, 0, 1) - 1) * this.reach
      const y = (1 - 2 * clamp((event.clientY - box.top) / box.height, 0, 1)) * this.reach
      on.move([x, y], event.timeStamp)
    }
    this.held = trackPointer(this.plane, {
      start: event => {
        box = this.plane.getBoundingClientRect()
        on.start()
        place(event)
      },
      move: place,
      end: () => on.end(),
    })
    this.plane.addEventListener("keydown", event => {
      const [x, y] = this.coordinates
      const right = keyed(event, x, "ArrowRight", "ArrowLeft")
      const up = keyed(event, y, "ArrowUp", "ArrowDown")
      if (event.key === "Home") on.nudge([0, 0], event.timeStamp)
      else if (event.key.startsWith("Page") && up !== null) on.nudge([x, up], event.timeStamp)
      else if (right !== null || up !== null) on.nudge([right ?? x, up ?? y], event.timeStamp)
      else return
      event.preventDefault()
    })
    this.plane.addEventListener("dblclick", () => on.reset())
  }

  describe(names, texts) {
    this.names = names
    this.words[0].textContent = texts.across
    this.words[1].textContent = texts.upwards
    this.plane.setAttribute("aria-roledescription", texts.plane)
    this.keepWord.textContent = texts.keep
    this.switch.title = texts.keepHint
    for (const select of this.selects) select.replaceChildren(...names.map((name, i) => new Option(name, i)))
    this.named = ""
  }

  show(axes, coordinates, from) {
    this.coordinates = coordinates
    if (!this.held()) this.#scale(reachOf(...coordinates))
    const [x, y] = coordinates
    const share = value => clamp(value / this.reach, -1, 1) / 2
    this.dot.at(share(x), -share(y))
    this.from.at(share(from[0]), -share(from[1]))
    this.cross.setAttribute("d", `M${-this.reach} ${-y}H${this.reach}M${x} ${-this.reach}V${this.reach}`)
    const names = axes.map(axis => this.names[axis])
    if (this.named !== names.join("\n")) {
      this.named = names.join("\n")
      axes.forEach((axis, i) => (this.selects[i].value = axis))
      this.plane.setAttribute("aria-label", names.join(" × "))
    }
    const text = names.map((name, i) => `${name} ${signed(coordinates[i])}`).join(", ")
    this.plane.setAttribute("aria-valuetext", text)
    this.plane.setAttribute("aria-valuemin", String(-this.reach))
    this.plane.setAttribute("aria-valuemax", String(this.reach))
    this.plane.setAttribute("aria-valuenow", x.toFixed(2))
  }

  // overlap: whether a move along one direction moves the point along others at all.
  showKeep(overlap, keep) {
    this.switch.hidden = !overlap
    this.keep.checked = keep
  }

  #scale(reach) {
    if (this.scaled === reach) return
    this.scaled = this.reach = reach
    const lines = Array.from({ length: 2 * reach - 1 }, (_, i) => i + 1 - reach)
    this.drawing.setAttribute("viewBox", `${-reach} ${-reach} ${2 * reach} ${2 * reach}`)
    this.grid.setAttribute(
      "d",
      lines.map(at => `M${at} ${-reach}V${reach}M${-reach} ${at}H${reach}`).join(""),
    )
    this.zero.setAttribute("d", `M0 ${-reach}V${reach}M${-reach} 0H${reach}`)
  }
}
