// Copying commands, also from a file that was opened from disk, where the clipboard may be refused.

function showCopyButtons(root) {
  for (const button of root.querySelectorAll(".copy")) button.hidden = false;
}

// What stands below the button, or hidden beside it: a filter is too long to be read, and not too long to be pasted.
async function copyFrom(button) {
  const says = (button.dataset.says ??= button.textContent);
  const text = button.closest("figure")?.querySelector("pre") ?? button.nextElementSibling;
  const isCopied = (await written(text.textContent)) || selected(text);
  button.textContent = isCopied ? "Copied" : "Press Ctrl+C";
  element("said").textContent = button.textContent;
  setTimeout(() => (button.textContent = says), 2000);
}

async function written(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

// The old way: select, and ask the document. What stays selected can be copied by hand.
function selected(text) {
  text.hidden = false;
  const range = document.createRange();
  range.selectNodeContents(text);
  const selection = getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
  return document.execCommand("copy");
}
