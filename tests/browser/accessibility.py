"""What axe finds wrong with a page. Importable where there is neither axe nor a browser."""


async def serious(page):
    """The rules that are broken in a way that keeps somebody from using the page, and by what."""
    from axe_playwright_python.async_playwright import Axe

    # A fade that is under way has other colours.
    await page.evaluate(
        "Promise.all(document.getAnimations().map((one) => one.effect.getTiming().iterations === 1 && one.finished))"
    )
    results = await Axe().run(page, options={"resultTypes": ["violations"]})
    return [
        (one["id"], [node["target"] for node in one["nodes"]])
        for one in results.response["violations"]
        if one["impact"] in ("serious", "critical")
    ]
