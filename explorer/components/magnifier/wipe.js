// Two of some pictures in one place: a divider that can be dragged shows the left part of the one and the right part
// of the other. This file stands between latent_pad/picture.js and magnifier.js, in the same module.
const WIPE_STEPS = { ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2, PageDown: -10, PageUp: 10 } // percent
const chosen = [] // names; they outlive the element, which a page that waits for pictures takes away

class Wipe {
  constructor() {
    this.share = 50 // percent, that is shown of the left picture
    this.node = make("section", "wipe")
    this.title = make("h4")
    this.sides = ["left", "right"].map(side => {
      const label = make("label", side)
      label.append(make("span"), make("select"))
      return label
    })
    this.selects = this.sides.map(label => label.lastChild)
    this.pictures = [new Picture(), new Picture()]
    this.divider = make("div", "divider", { tabIndex: 0 })
    this.divider.setAttribute("role", "slider")
    this.divider.setAttribute("aria-valuemin", "0")
    this.divider.setAttribute("aria-valuemax", "100")
    this.divider.append(make("i"))
    this.glass = make("div", "glass")
    const [left, right] = this.pictures
    left.canvas.classList.add("over")
    this.glass.append(right.canvas, left.canvas, this.divider)
    const bar = make("div", "sides")
    bar.append(...this.sides)
    this.node.append(this.title, bar, this.glass)
    this.#listen()
  }

  #listen() {
    const seek = event => {
      const box = this.glass.getBoundingClientRect()
      this.#move((100 * (event.clientX - box.left)) / box.width)
    }
    trackPointer(this.glass, {
      start: event => {
        this.divider.focus({ preventScroll: true })
        event.preventDefault() // or the browser would focus what lies under the pointer
        seek(event)
      },
      move: seek,
      end: () => {},
    })
    this.divider.addEventListener("keydown", event => {
      const ends = { Home: 0, End: 100 }
      const to = event.key in ends ? ends[event.key] : this.share + WIPE_STEPS[event.key]
      if (Number.isNaN(to)) return
      event.preventDefault()
      this.#move(to)
    })
    this.selects.forEach((select, i) =>
      select.addEventListener("change", () => {
        chosen[i] = select.value
        this.#draw()
      }),
    )
  }

  #move(percent) {
    this.share = clamp(percent, 0, 100)
    this.divider.style.left = `${this.share}%`
    this.pictures[0].canvas.style.clipPath = `inset(0 ${100 - this.share}% 0 0)`
    const share = Math.round(this.share)
    this.divider.setAttribute("aria-valuenow", String(share))
    const name = this.selects[0].selectedOptions[0]?.textContent ?? ""
    this.divider.setAttribute("aria-valuetext", fill(this.texts.share, { share, name }))
  }

  // pictures: [{ name, image }], image: an ImageData; those that were chosen stay, by their names.
  update(pictures, first, texts) {
    this.items = pictures
    this.texts = texts
    this.title.textContent = texts.wipe
    this.divider.setAttribute("aria-label", texts.divider)
    const names = pictures.map(({ name }) => name)
    this.selects.forEach((select, i) => {
      this.sides[i].firstChild.textContent = [texts.left, texts.right][i]
      const kept = names.indexOf(chosen[i])
      if (this.names !== names.join("\n")) select.replaceChildren(...names.map(name => new Option(name, name)))
      select.selectedIndex = kept < 0 ? first[i] : kept
    })
    this.names = names.join("\n")
    this.#draw()
  }

  #draw() {
    this.selects.forEach((select, i) => {
      const { name, image } = this.items[select.selectedIndex]
      this.pictures[i].show(image)
      this.pictures[i].canvas.setAttribute("aria-label", name)
    })
    this.#move(this.share)
  }

  fit(room, shape) {
    for (const picture of this.pictures) picture.fit(room, shape)
  }
}
