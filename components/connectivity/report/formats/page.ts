/** Style of the report's page, light and dark. */
export const STYLE = `
:root { color-scheme: light dark; --text: #1c2024; --back: #fff; --line: #d4d9df; --soft: #f3f5f7;
  --good: #d7f2dd; --good-text: #0b5d26; --bad: #ffd9d6; --bad-text: #9c1109; --open: #fff0c7; --open-text: #6b4e00; --hot: 205 90 20; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9ec; --back: #14171a; --line: #3a4149; --soft: #1e2327;
  --good: #12401f; --good-text: #b4efc3; --bad: #5c1612; --bad-text: #ffd0cb; --open: #4d3b06; --open-text: #ffe6a3; --hot: 255 150 60; } }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); }
header, main { max-width: 76rem; margin: 0 auto; padding: 1rem 1.5rem; }
header { border-left: .6rem solid var(--good-text); } header.bad { border-color: var(--bad-text); }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; } header p { margin: .3rem 0 0; }
table { border-collapse: collapse; } caption { text-align: left; padding-bottom: .4rem; }
th, td { border: 1px solid var(--line); padding: .25rem .6rem; text-align: left; } thead th { background: var(--soft); }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.good { background: var(--good); color: var(--good-text); } .bad { background: var(--bad); color: var(--bad-text); }
.open { background: var(--open); color: var(--open-text); } header.good, header.bad { background: none; color: inherit; }
.heat { background: rgb(var(--hot) / calc(.08 + .6 * var(--heat))); }
.causes > li { margin-bottom: 1rem; } .causes p { margin: 0 0 .4rem; font-weight: 600; }
.way { display: flex; flex-wrap: wrap; gap: .4rem 1.6rem; list-style: none; margin: 0; padding: 0; }
.way li { position: relative; border: 1px solid var(--line); border-radius: .4rem; padding: .3rem .8rem; background: var(--soft); }
.way li.bad { background: var(--bad); border-color: var(--bad-text); } .way li.place { background: none; border-style: dashed; }
.way li + li::before { content: "→"; position: absolute; left: -1.3rem; color: var(--text); }
.scroll { overflow-x: auto; } .grid td, .grid thead th { text-align: center; min-width: 2.2rem; }
.grid td:focus, .grid td:hover { outline: 2px solid currentColor; outline-offset: -2px; }
.grid.small td, .grid.small th { padding: 0 .2rem; min-width: 1rem; font-size: .7rem; line-height: 1.1rem; white-space: nowrap; }
.grid.tiny td, .grid.tiny th { padding: 0; min-width: .45rem; font-size: .5rem; line-height: .6rem; }
.small thead th span { writing-mode: vertical-rl; transform: rotate(180deg); }
.told { display: block; min-height: 1.5em; margin-top: .4rem; } summary { cursor: pointer; padding: .2rem 0; }
code { font: .95em ui-monospace, monospace; }
`;

/** What lets keys walk through the page's tables of nodes, and tells of the cell that is looked at. */
export const SCRIPT = `
for (const grid of document.querySelectorAll("table.grid")) {
  const rows = [...grid.tBodies[0].rows].map((row) => [...row.querySelectorAll("td")]);
  const told = grid.parentElement.nextElementSibling;
  const tell = (cell) => { if (cell?.ariaLabel) told.textContent = cell.title = cell.ariaLabel; };
  grid.addEventListener("mouseover", ({ target }) => tell(target.closest("td")));
  grid.addEventListener("focusin", ({ target }) => tell(target.closest("td")));
  grid.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    const cell = event.target.closest("td");
    if (!step || !cell) return;
    event.preventDefault();
    const row = rows.findIndex((cells) => cells.includes(cell));
    const next = rows[row + step[0]]?.[rows[row].indexOf(cell) + step[1]];
    if (!next) return;
    cell.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
}
`;
