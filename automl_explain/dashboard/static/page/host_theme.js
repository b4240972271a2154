// The theme of a notebook around the page, which may differ from that of the system.

// Attribute of the body -> what its value matches in a dark theme.
const DARK_HOSTS = {
  "data-jp-theme-light": /^false$/, // JupyterLab and Notebook 7
  "data-vscode-theme-kind": /dark|^vscode-high-contrast$/, // VS Code; its light one is vscode-high-contrast-light
};

// "light" or "dark" in a notebook that says it, else "auto".
export function hostTheme(body = document.body) {
  for (const [name, isDark] of Object.entries(DARK_HOSTS)) {
    const said = body.getAttribute(name);
    if (said !== null) return isDark.test(said) ? "dark" : "light";
  }
  return "auto";
}
