// Sorts, filters and expands turns, and saves their figures. All data is in this file already.
"use strict";
(() => {
  const PAGE = 50;

  async function unpacked(base64) {
    const bytes = Uint8Array.from(atob(base64), (mark) => mark.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));
  }

  function turnsOf(section) {
    return [...section.querySelectorAll("tbody")].map((body, place) => {
      const cells = [...body.rows[0].cells];
      return { body, place, cells, values: cells.map((cell) => cell.textContent.trim()), text: body.rows[0].textContent.toLowerCase() };
    });
  }

  function wire(section) {
    const form = section.querySelector(".turns-filters");
    const table = section.querySelector(".turns-table");
    const heads = [...table.tHead.rows[0].cells];
    const names = heads.map((head) => head.textContent);
    const count = section.querySelector(".turns-count");
    const more = section.querySelector(".turns-more");
    const turns = turnsOf(section);
    let ordered = turns;
    let shown = PAGE;
    let details = null;

    function matches(turn) {
      const asked = new FormData(form);
      const is = (name) => !asked.get(name) || turn.values[names.indexOf(name)] === asked.get(name);
      return is("phase") && is("system") && is("outcome")
        && (!asked.get("flag") || (turn.body.dataset.flags || "").split(" ").includes(asked.get("flag")))
        && (!asked.get("sound") || "sound" in turn.body.dataset)
        && turn.text.includes(asked.get("text").trim().toLowerCase());
    }

    function show() {
      const found = ordered.filter(matches);
      const visible = new Set(found.slice(0, shown));
      for (const turn of turns) {
        turn.body.hidden = !visible.has(turn);
        if (!turn.body.hidden) addButton(turn);
      }
      const some = visible.size < found.length ? `, showing the first ${visible.size}` : "";
      count.textContent = `${found.length} of ${turns.length} turns${some}`;
      more.hidden = visible.size === found.length;
    }

    function addButton(turn) {
      const cell = turn.cells[names.indexOf("turn")];
      if (cell.firstElementChild) return;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = cell.textContent;
      button.className = "turn-toggle";
      button.setAttribute("aria-label", `details of turn ${cell.textContent}`);
      button.setAttribute("aria-expanded", String(isOpen(turn)));
      button.addEventListener("click", () => open(turn, !isOpen(turn)));
      cell.replaceChildren(button);
    }

    const isOpen = (turn) => turn.body.rows.length > 1 && !turn.body.rows[1].hidden;

    async function open(turn, wanted) {
      if (wanted && turn.body.rows.length < 2) await insert(turn);
      turn.body.rows[1].hidden = !wanted;
      turn.cells[names.indexOf("turn")].firstElementChild?.setAttribute("aria-expanded", String(wanted));
    }

    async function insert(turn) {
      details ??= unpacked(JSON.parse(section.querySelector(".turns-data").textContent).gzip).then((all) => all.json());
      const row = document.createElement("tr");
      row.className = "turn-open";
      row.innerHTML = `<td colspan="${heads.length}"></td>`;
      row.firstChild.innerHTML = await details.then((all) => all[turn.body.dataset.turn], () => "This browser cannot decompress the details.");
      if (turn.body.rows.length < 2) turn.body.append(row);
    }

    function sort(column, descending) {
      const number = heads[column].dataset.sort === "number";
      const key = (turn) => (number ? parseFloat(turn.values[column]) : turn.values[column]);
      const compare = (a, b) => (number ? a - b : a.localeCompare(b)) * (descending ? -1 : 1);
      const empty = (value) => value === "" || Number.isNaN(value);
      ordered = [...turns].sort((a, b) => {
        const [x, y] = [key(a), key(b)];
        return empty(x) - empty(y) || (empty(x) ? 0 : compare(x, y)) || a.place - b.place;
      });
      heads.forEach((head, place) => head.setAttribute("aria-sort", place !== column ? "none" : descending ? "descending" : "ascending"));
      table.append(...ordered.map((turn) => turn.body));
      show();
    }

    function makeSortable(head, column) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      button.addEventListener("click", () => sort(column, head.getAttribute("aria-sort") === "ascending"));
      head.replaceChildren(button);
    }

    function openLinked() {
      const turn = turns.find((each) => each.body.id && `#${each.body.id}` === decodeURIComponent(location.hash));
      if (!turn) return;
      turn.body.hidden = false;
      addButton(turn);
      open(turn, true).then(() => turn.body.scrollIntoView());
    }

    section.classList.add("scripted");
    heads.forEach(makeSortable);
    turns.forEach((turn, place) => { if (isOpen(turn)) turn.body.rows[1].hidden = place > 0; });
    form.hidden = false;
    const again = () => { shown = PAGE; show(); };
    form.addEventListener("input", again);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", (event) => {
      event.preventDefault();
      for (const field of form.elements) { if (field.type === "checkbox") field.checked = false; else field.value = ""; }
      again();
    });
    more.querySelector(".turns-next").addEventListener("click", () => { shown += PAGE; show(); });
    more.querySelector(".turns-all").addEventListener("click", () => { shown = Infinity; show(); });
    show();
    window.addEventListener("hashchange", openLinked);
    openLinked();
  }

  // One recording at a time; a line goes through its picture while it plays.
  function follow(audio) {
    const lanes = audio.closest("figure").querySelector(".picture-lanes");
    const line = lanes.querySelector(".playhead") || lanes.appendChild(Object.assign(document.createElement("div"), { className: "playhead" }));
    const from = Number(audio.dataset.from) / 10;
    const draw = () => {
      line.style.left = `${from + (100 - from) * Math.min(audio.currentTime / audio.duration || 0, 1)}%`;
      if (!audio.paused) requestAnimationFrame(draw);
    };
    draw();
  }

  document.addEventListener("play", (event) => {
    for (const other of document.querySelectorAll("audio")) if (other !== event.target) other.pause();
    if (event.target.closest(".turn-heard")) follow(event.target);
  }, true);

  async function download(event) {
    const link = event.currentTarget;
    if (!("DecompressionStream" in window)) return;
    event.preventDefault();
    const csv = await unpacked(link.href.slice(link.href.indexOf(",") + 1)).then((all) => all.blob());
    const saved = document.createElement("a");
    saved.href = URL.createObjectURL(new Blob([csv], { type: "text/csv" }));
    saved.download = link.dataset.name;
    saved.click();
    setTimeout(() => URL.revokeObjectURL(saved.href), 10000);
  }

  document.querySelectorAll(".turns-section").forEach(wire);
  document.querySelectorAll(".turns-download").forEach((link) => link.addEventListener("click", download));
})();
