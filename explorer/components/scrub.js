// A scrubber over the whole numbers from 0 on: a slider for the pointer, for keys and for screen readers. This file
// stands between latent_pad/parts.js and a component's own script, in the same module.
Object.assign(ICONS, {
  play: "M5 3 L13 8 L5 13 Z",
  pause: "M4.5 3 H6.5 V13 H4.5 Z M9.5 3 H11.5 V13 H9.5 Z",
})

// Where a key leads; undefined for other keys.
function keyLeads({ key }, at, last, page) {
  const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: page, PageDown: -page }
  const ends = { Home: 0, End: last }
  return key in steps ? clamp(at + steps[key], 0, last) : ends[key]
}

function nameTool(button, text) {
  button.title = text
  button.setAttribute("aria-label", text)
}

function makeTool(icon) {
  const button = make("button", "tool", { type: "button" })
  button.dataset.name = icon
  button.append(makeIcon(icon))
  return button
}

class Track {
  // `move(number)` is called for each place that a pointer drags the thumb to, between `start()` and `end()`.
  constructor({ start, move, end }) {
    this.last = 0
    this.node = make("div", "track", { tabIndex: 0 })
    this.node.setAttribute("role", "slider")
    this.past = make("i", "past")
    this.thumb = make("i", "thumb")
    this.mark([])
    const seek = event => {
      const box = this.node.getBoundingClientRect()
      move(Math.round(clamp((event.clientX - box.left) / box.width, 0, 1) * this.last))
    }
    trackPointer(this.node, {
      start: event => {
        start()
        seek(event)
      },
      move: seek,
      end,
    })
  }

  // Draw notches at some shares of the way.
  mark(shares) {
    const notches = shares.map(share => {
      const notch = make("i", "notch")
      notch.style.left = `${100 * share}%`
      return notch
    })
    this.node.replaceChildren(make("i", "rail"), this.past, ...notches, this.thumb)
  }

  // Move the thumb to a position, whole or not; a track of one place is all gone through.
  put(position) {
    const share = this.last ? clamp(position / this.last, 0, 1) : 1
    this.thumb.style.left = this.past.style.width = `${100 * share}%`
  }

  describe({ label, low, high }) {
    this.node.setAttribute("aria-label", label)
    this.node.setAttribute("aria-valuemin", String(low))
    this.node.setAttribute("aria-valuemax", String(high))
  }

  tell(value, text) {
    this.node.setAttribute("aria-valuenow", String(value))
    this.node.setAttribute("aria-valuetext", text)
  }
}
