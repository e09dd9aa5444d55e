import re

from workers.webchat.assets import load_assets

DEFAULTS = {
    "orguuid": "0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90",
    "chat_name": "draftmywebchat",
    "chat_display_name": '"><script>',
    "pass_through_data": "{'a':'b'}",
}
ASSETS = load_assets(DEFAULTS)


def test_the_page_has_its_defaults_as_text() -> None:
    page = ASSETS["/"].body.decode()
    assert 'value="draftmywebchat"' in page
    assert "&quot;&gt;&lt;script&gt;" in page
    assert "$" not in page


def test_the_page_runs_nothing_but_our_own_files() -> None:
    policy = ASSETS["/"].headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    page = ASSETS["/"].body.decode()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! type=\"module\" src=\"/)", page)


def test_no_file_names_anything_elsewhere() -> None:
    for path, asset in ASSETS.items():
        text = asset.body.decode()
        found = {url for url in re.findall(r"https?://[^\s\"'`)<]+", text) if "example.org" not in url}
        assert found <= {"http://www.w3.org/2000/svg"}, path


def test_every_module_that_is_imported_is_there() -> None:
    for path, asset in ASSETS.items():
        for name in re.findall(r"from \"([^\"]+)\"", asset.body.decode()):
            folder = path.rsplit("/", 1)[0]
            found = name if name.startswith("/") else f"{folder}/{name.removeprefix('./')}"
            assert found in ASSETS, f"{path} imports {name}"


def test_other_sites_may_load_the_widget_and_not_frame_the_page() -> None:
    assert ASSETS["/widget.js"].headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Origin" not in ASSETS["/"].headers
