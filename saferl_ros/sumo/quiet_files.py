"""Additional files without the outputs they ask for: episodes must not write over a user's own."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from xml.etree import ElementTree

from saferl_ros.scenario.spec import read_xml

NOWHERE = 'NUL'  # SUMO's name, on every system, of a file that keeps nothing
# what writes a file, and the attribute that names it
OUTPUTS = {
    **dict.fromkeys(('e1Detector', 'inductionLoop', 'instantInductionLoop'), 'file'),
    **dict.fromkeys(('e2Detector', 'laneAreaDetector'), 'file'),
    **dict.fromkeys(('e3Detector', 'entryExitDetector'), 'file'),
    **dict.fromkeys(('edgeData', 'laneData', 'routeProbe'), 'file'),
    'calibrator': 'output',
    'timedEvent': 'dest',
}
INPUTS = ('file', 'href', 'imgFile', 'routefile')  # by paths relative to the file that names them


def without_outputs(path: Path, folder: Path) -> Path:
    """
    Return ``path``, or a copy of it in ``folder`` whose outputs go nowhere if it has any.

    :param path: an additional file.
    :param folder: of the run, removed with it.
    """
    if not _has_outputs(path):
        return path
    root = read_xml(path, 'additional')
    for element in root.iter():
        output = OUTPUTS.get(element.tag)
        if output in element.attrib:
            element.set(output, NOWHERE)
        for name in INPUTS:
            stated = element.get(name)
            if stated and name != output and (path.parent / stated).exists():
                element.set(name, str((path.parent / stated).resolve()))
    n_there = len(list(folder.iterdir()))  # files of two folders may have one name
    copy = folder / f'{n_there}_{path.name.removesuffix(".gz")}'
    ElementTree.ElementTree(root).write(copy, encoding='utf-8', xml_declaration=True)
    return copy


@lru_cache(maxsize=64)
def _has_outputs(path: Path) -> bool:
    return any(
        OUTPUTS[element.tag] in element.attrib
        for element in read_xml(path, 'additional').iter()
        if element.tag in OUTPUTS
    )
