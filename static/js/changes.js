// Runs `act` now and after everything that htmx or the server changes in the page, once per batch.
export function onChange(act, attributes) {
  act([]);
  const observer = new MutationObserver(act);
  observer.observe(document.body, {
    subtree: true, childList: true, characterData: true,
    attributes: true, attributeFilter: attributes, attributeOldValue: true,
  });
}
