// Draws the chart of a report and keeps a list of turns in view while its turns are read. Everything else works without it.
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("live");
  const views = JSON.parse(document.getElementById("report-views").textContent);
  const place = document.getElementById("plot");
  const choice = document.getElementById("scene");
  const NARROW = 600;

  const tone = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  // On a narrow screen the names of the lines stand above them, not beside them.
  function arranged(layout) {
    const ink = tone("--ink");
    const narrow = place.clientWidth < NARROW;
    const axis = layout.yaxis;
    const above = axis.ticktext.map((text, line) => ({
      text: text.replace("<br>", ", "), x: 0, xref: "paper", xanchor: "left", y: line - 0.5, showarrow: false,
      font: { size: 12.5, color: ink },
    }));
    return {
      ...layout,
      height: layout.height + (narrow ? 22 * axis.ticktext.length + 60 : 30),
      font: { family: "system-ui, sans-serif", size: 13.5, color: ink },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      hoverlabel: { bgcolor: tone("--soft"), bordercolor: tone("--line"), font: { color: ink } },
      dragmode: false,
      xaxis: { ...layout.xaxis, fixedrange: true },
      yaxis: { ...axis, fixedrange: true, showticklabels: !narrow, range: [axis.range[0], narrow ? -0.75 : axis.range[1]] },
      annotations: narrow ? above : [],
    };
  }

  function draw() {
    const view = views[Number(choice.value)];
    return Plotly.react(place, view.data, arranged(view.layout), { displayModeBar: false, responsive: true });
  }

  function start() {
    views.forEach((view, number) => choice.add(new Option(view.name, String(number))));
    choice.parentElement.hidden = views.length < 2;
    root.classList.add("drawn"); // before drawing: plotly measures the place
    draw().then(() => {
      place.on("plotly_click", (event) => {
        const list = event.points[0].customdata[2];
        if (list) location.hash = list;
      });
    });
    choice.addEventListener("change", draw);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    matchMedia(`(max-width: ${NARROW}px)`).addEventListener("change", draw);
  }

  // A list stays open while its turns are read, until it is closed or another one is asked for.
  function follow() {
    const target = document.getElementById(location.hash.slice(1));
    const kept = document.querySelector(".behind.kept");
    const turn = target?.closest(".turn");
    if (kept && !turn) kept.classList.remove("kept");
    if (target?.classList.contains("behind")) target.classList.add("kept");
    if (turn) {
      turn.open = true;
      turn.scrollIntoView();
    }
  }

  addEventListener("hashchange", follow);
  try {
    start();
  } catch (error) {
    root.classList.remove("drawn"); // the chart without a script is still there
    console.error(error);
  }
  follow();
})();
