document.querySelectorAll("table.sortable").forEach(function (table) {
  table.querySelectorAll("thead th").forEach(function (head, column) {
    var button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", function () {
      var up = head.getAttribute("aria-sort") !== "ascending";
      table.querySelectorAll("thead th").forEach(function (other) { other.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      var key = function (row) { var cell = row.cells[column]; return cell.dataset.key || cell.textContent; };
      var rows = Array.from(table.tBodies[0].rows);
      rows.sort(function (a, b) {
        var one = key(a), two = key(b), order = one - two;
        if (isNaN(order)) { order = one.localeCompare(two, undefined, { numeric: true }); }
        return up ? order : -order;
      });
      table.tBodies[0].append.apply(table.tBodies[0], rows);
    });
  });
});
