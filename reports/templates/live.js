{
  // asks the server what is running, and shows the page anew when a run has finished; never while somebody types
  const box = document.getElementById("live");
  const status = box.querySelector("p"), again = box.querySelector("button"), list = box.querySelector("ul");
  const say = (text) => { status.firstChild.data = `${text} `; };
  const bold = (text) => Object.assign(document.createElement("b"), { textContent: text });
  const line = (run) => {
    const item = document.createElement("li"), name = document.createElement("span"), bar = document.createElement("progress");
    name.append(bold(run.model), " on ", bold(run.title));
    if (run.of && run.done !== null) { bar.max = run.of; bar.value = run.done; }
    bar.setAttribute("aria-label", "answered");
    const count = Object.assign(document.createElement("span"), { className: "muted", textContent: run.says });
    item.append(name, bar, count);
    return item;
  };
  const busy = () => document.activeElement?.matches("input, select") || getSelection().type === "Range";
  const look = async () => {
    try {
      const state = await (await fetch("live.json", { cache: "no-store" })).json();
      if (state.version !== box.dataset.version) {
        if (!busy()) return location.reload();
        again.hidden = false;
      }
      say(state.says);
      list.replaceChildren(...state.running.map(line));
    } catch {
      say("riddle serve does not answer any more.");
    }
    setTimeout(look, 2000);
  };
  again.addEventListener("click", () => location.reload());
  setTimeout(look, 2000);
}
