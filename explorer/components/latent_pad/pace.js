// One picture a frame, from a stream whose replies come as they come. Of two that come before a frame, the second is
// shown at once if it has taken long, so that what slow models make is never later than it must be. Else it waits: it
// is shown in the next frame if nothing newer comes in time, so that a frame without a picture of its own is rare.
const YOUNG_MS = 8 // after the pointer's event: half a frame
const HOLD_MS = 12 // of a frame's 17, in which a newer picture may come
const KEPT_SAMPLES = 2048

class Pace {
  // show(reply) draws it; name: of the list on window.latentExplorer that benchmarks read: an entry for each frame with
  // a new picture, from the time of the pointer's event to that frame.
  constructor(show, name = "samples") {
    this.show = show
    this.name = name
    this.held = null // a reply that waits for the next frame
    this.unseen = null // time of the event whose picture is drawn, but no frame has shown yet
  }

  // reply.tag.stamp: time of the event that it answers; null if it answers none, and need not wait.
  take(reply) {
    this.drop()
    const { stamp } = reply.tag
    const second = this.unseen !== null
    if (stamp !== null && second && performance.now() - stamp < YOUNG_MS) {
      this.held = reply
      return
    }
    this.show(reply)
    if (stamp === null) return
    this.unseen = stamp
    if (!second) requestAnimationFrame(() => this.#sample())
  }

  drop() {
    clearTimeout(this.holding)
    this.held = null
  }

  #sample() {
    const samples = (window.latentExplorer[this.name] ??= [])
    samples.push([this.unseen, performance.now()])
    this.unseen = null
    if (this.held) this.holding = setTimeout(() => this.take(this.held), HOLD_MS)
    if (samples.length > KEPT_SAMPLES) samples.splice(0, KEPT_SAMPLES / 2)
  }
}
