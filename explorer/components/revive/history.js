// Streamlit enters a page that is opened into the browser's history twice: without the parameters of its link, and with
// them once the page has written them. Back would then need two presses, so the second entry takes the first one's place.
function joinEntries() {
  const add = history.pushState
  history.pushState = function (state, title, url) {
    const to = new URL(url ?? "", location.href)
    const bare = to.pathname === location.pathname && !location.search
    return (bare ? history.replaceState : add).call(history, state, title, url)
  }
}
