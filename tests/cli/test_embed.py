"""`convscope embed` and `convscope probes` on a run."""

import json


def test_a_map_and_its_table_are_written(command, digits_run, tmp_path):
    page = tmp_path / "map.html"
    done = command("embed", digits_run, "--max-images", 40, "-o", page)
    assert "40 of 359 images" in done.stdout
    assert f"Wrote {page}." in done.stdout
    assert (tmp_path / "map.csv").read_text().count("\n") == 41
    wrong = command("embed", digits_run, "--layer", "conv9", "-o", page, code=2)
    assert "no layer 'conv9'" in wrong.stderr


def test_the_probes_of_a_run_rise_towards_its_end(command, digits_run):
    words = ("--layers", "conv1", "fc1", "--max-train", 300, "--json")
    payload = json.loads(command("probes", digits_run, *words).stdout)
    first, last = payload["layers"]
    assert (first["layer"], first["num_features"], last["num_features"]) == ("conv1", 6, 84)
    assert first["interval"][1] < last["interval"][0]
    table = command("probes", digits_run, "--layers", "fc1", "--max-train", 300).stdout
    assert "fc1" in table
    assert "95% interval" in table
