// Ask for a run of the whole page once the server is there again. Streamlit's page connects by itself but does not
// run anew; the fragments that its widgets belong to are unknown to a server that has just started, and whatever a
// person does is lost. `live.js` notices the restart and calls `window.latentExplorer.revive`; so does `watch`, for
// pages without a live picture.
const RETRY_MS = 2000 // at first: Streamlit's own connection may take longer than the live one

// Streamlit's page says whether it is connected in an attribute; without it, such pages stay as they are.
function watch(shared) {
  const page = document.querySelector("[data-test-connection-state]")
  if (!page) return
  let lost = false
  new MutationObserver(() => {
    const connected = page.dataset.testConnectionState === "CONNECTED"
    if (connected && lost) shared.revive?.()
    lost = !connected
  }).observe(page, { attributeFilter: ["data-test-connection-state"] })
}

export default function ({ data: [run] = [], setTriggerValue }) {
  const shared = (window.latentExplorer ??= {})
  if (!shared.watched) {
    shared.watched = true
    joinEntries()
    watch(shared)
  }
  if (shared.run !== run) clearTimeout(shared.reviving) // it has run
  shared.run = run
  shared.revive = () => {
    const ask = wait => {
      setTriggerValue("again", performance.now())
      shared.reviving = setTimeout(ask, wait, 2 * wait)
    }
    clearTimeout(shared.reviving)
    ask(RETRY_MS)
  }
  return () => {
    clearTimeout(shared.reviving)
    delete shared.revive
  }
}
