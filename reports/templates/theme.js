(() => {
  const theme = document.getElementById("theme");
  const themes = ["system", "light", "dark"];
  function remembered() {
    try {
      return localStorage.getItem("riddle-theme");
    } catch {
      return null;
    }
  }
  function remember(name) {
    try {
      localStorage.setItem("riddle-theme", name);
    } catch {
      return;
    }
  }
  function paint(name) {
    if (name === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    theme.textContent = `Theme: ${name}`;
    theme.dataset.now = name;
  }
  paint(themes.includes(remembered()) ? remembered() : "system");
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const name = themes[(themes.indexOf(theme.dataset.now) + 1) % themes.length];
    paint(name);
    remember(name);
  });
})();
