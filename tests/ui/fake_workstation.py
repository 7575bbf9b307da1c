"""A workstation without a store: made-up people and painted pictures, for looking at the screens alone."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from app.domain.outbox import OutboxState
from app.domain.person import Person
from app.domain.problem import Problem
from app.domain.study import RefusedFile
from app.session.signal import Signal
from app.session.views import (
    NOTHING,
    Changes,
    HistoryEntry,
    Notice,
    ProofStep,
    ProofView,
    QueueView,
    ReaderOnThisPc,
    Status,
    StudyPreview,
    TargetView,
    TaskState,
    TaskView,
    Thumbnail,
    TrayRow,
    TrayView,
    Words,
    WorklistQuery,
    WorklistRow,
    WorklistView,
)
from tests.ui.fake_imports import FakeExports, FakeImports

PEOPLE = (
    (
        "Серікбаева Әлия Маратқызы",
        "F · 64 y · 620314 4•• •27",
        "CT",
        "LDCT chest, screening",
        "143 images · 2 priors",
        "09:42",
        "sealed",
        "unread",
        "",
    ),
    (
        "Ахметова Алия Тимуровна",
        "F · 51 y · 750803 4•• •61",
        "MG",
        "Mammography, screening",
        "4 views · 1 prior",
        "08:57",
        "revealed",
        "committed",
        "queued",
    ),
    (
        "NURGALIYEVA Aliya",
        "F · 29 y · passport N•••• 418",
        "PX",
        "Panoramic film",
        "1 image",
        "08:20",
        "revealed",
        "signed",
        "proven",
    ),
    (
        "Ли Виктор Сергеевич",
        "M · 70 y · 551130 3•• •08",
        "CT",
        "Head, trauma",
        "28 images",
        "10:05",
        "refused",
        "unread",
        "queued",
    ),
    (
        "Қасымов Серік Ермекұлы",
        "M · 56 y · 700617 3•• •92",
        "DX",
        "Chest PA",
        "1 image · 1 prior",
        "10:18",
        "waiting",
        "unread",
        "",
    ),
    (
        "Төлегенова Айгерім Болатқызы",
        "F · 47 y · 790212 4•• •35",
        "MG",
        "Mammography, screening",
        "4 views · 2 priors",
        "09:58",
        "running",
        "in_progress",
        "",
    ),
    (
        "Иванов Пётр Алексеевич",
        "M · 66 y · 600905 3•• •70",
        "CT",
        "Chest with contrast",
        "412 images · 1 prior",
        "09:15",
        "revealed",
        "committed",
        "sending",
    ),
    (
        "Нұрланов Ерлан Асқарұлы",
        "M · 61 y · 650127 3•• •44",
        "MR",
        "Prostate",
        "5 series",
        "09:08",
        "no_reader",
        "unread",
        "",
    ),
    (
        "Петренко Андрей Викторович",
        "M · 44 y · 820714 3•• •19",
        "CT",
        "Head without contrast",
        "168 images",
        "07:44",
        "revealed",
        "addended",
        "sent",
    ),
    (
        "Абенова Сәуле Жанатқызы",
        "F · 46 y · 800226 4•• •50",
        "DX",
        "Chest PA",
        "1 image",
        "07:31",
        "failed",
        "signed",
        "conflict",
    ),
)
AI = {
    "sealed": Status("sealed", Words("Sealed"), Words("ready 09:47"), "ai"),
    "revealed": Status("revealed", Words("Revealed"), Words("1 accepted · 1 rejected"), "ai"),
    "refused": Status("refused", Words("Refused"), Words("tilt 18.5°, spacing 4–7 mm"), "waiting"),
    "waiting": Status("waiting", Words("Waiting"), Words("3rd in queue"), "waiting"),
    "running": Status("running", Words("Running"), Words("lung_ct · about 6 s left"), "ai", 0.62),
    "no_reader": Status("no_reader", Words("No reader"), Words("none accepts prostate MR"), "waiting"),
    "failed": Status("failed", Words("Failed"), Words("worker stopped"), "bad"),
}
READING = {
    "unread": Status("unread", Words("Unread"), Words("nobody yet")),
    "in_progress": Status("in_progress", Words("In progress"), Words("Иса Б. Н., since 10:12")),
    "committed": Status("committed", Words("Committed"), Words("yours, 09:31"), "mine"),
    "signed": Status("signed", Words("Signed"), Words("Иса Б. Н., 08:26")),
    "addended": Status("addended", Words("Addended"), Words("yours, 09:05")),
}
STORAGE = {
    "": Status("", NOTHING),
    "queued": Status("queued", Words("Queued"), Words("signing waits"), "waiting"),
    "sending": Status("sending", Words("Sending"), Words("412 images"), "text", 0.4),
    "sent": Status("sent", Words("Sent"), Words("read-back waits")),
    "proven": Status("proven", Words("Proven"), Words("08:26, both targets"), "ok"),
    "conflict": Status("conflict", Words("Conflict"), Words("same UID, other bytes"), "bad"),
}


def chest(size: int = 256, seed: int = 1) -> np.ndarray:
    """A painted slice: body, two lungs, spine, a few vessels."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    picture = np.zeros((size, size))
    picture[(x / 0.95) ** 2 + (y / 0.7) ** 2 < 1] = 170
    for side in (-1, 1):
        picture[((x - side * 0.42) / 0.34) ** 2 + ((y + 0.05) / 0.5) ** 2 < 1] = 40
    picture[(x / 0.14) ** 2 + ((y - 0.42) / 0.16) ** 2 < 1] = 240
    for _ in range(60):
        cx, cy, r = random.uniform(-0.7, 0.7), random.uniform(-0.45, 0.4), random.uniform(0.006, 0.02)
        picture[(x - cx) ** 2 + (y - cy) ** 2 < r * r] = 190
    picture[(x + 0.5) ** 2 + (y + 0.1) ** 2 < 0.0016] = 220
    return np.clip(picture + random.normal(0, 6, picture.shape), 0, 255).astype(np.uint8)


class FakeWorkstation:
    def __init__(self, *, empty: bool = False, demo: bool = True, language: str = "en") -> None:
        self.changed: Signal[Changes] = Signal()
        self.notice: Signal[Notice] = Signal()
        self.person = Person("p1", "Жақсыбекова А. Е.")
        self.language, self.is_demo, self.version = language, demo, "0.1.0"
        self.empty = empty
        self.reading = None
        self.display = SimpleNamespace(mm_per_px=lambda screen: None)
        self.asked: list[tuple] = []
        self.running: tuple[TaskView, ...] = ()
        self.imports, self.exports = FakeImports(self), FakeExports(self)
        self._summary = SimpleNamespace(
            studies=("a", "b"),
            known_studies=("c",),
            patients=2,
            added=942,
            known=28,
            repaired=1,
            remarks=(),
            bytes_read=1_960_000_000,
            files_seen=977,
            refused=(
                RefusedFile("OLD/IM000213.dcm", Problem("Cut short: 31,744 of 524,288 pixel bytes.")),
                RefusedFile("GE/4410_1.img", Problem("Private transfer syntax 1.2.840.113619.5.2.")),
            ),
        )

    def set_language(self, code: str) -> None:
        self.language = code
        self.changed.emit(Changes(settings=True))

    def worklist(self, query: WorklistQuery) -> WorklistView:
        rows = [] if self.empty else [self._row(i, query.text) for i in range(len(PEOPLE))]
        rows.sort(key=lambda r: not r.matched)
        counts = (
            {"all": len(rows), "mine": 4, "unread": 5, "sealed": 2, "to_sign": 2, "signed": 3, "refused": 1} if rows else {}
        )
        modalities = {"CT": 4, "MG": 2, "DX": 2, "PX": 1, "MR": 1} if rows else {}
        matches = sum(r.matched for r in rows)
        return WorklistView(
            tuple(rows), len(rows), counts, modalities, matches, ("Әлия", "Алия", "Aliya") if query.text else ()
        )

    def _row(self, number: int, text: str) -> WorklistRow:
        name, line, modality, title, subtitle, arrived, ai, reading, storage = PEOPLE[number]
        matched = not text or number < 3
        match = None
        if text and matched:
            found = next(w for w in ("Әлия", "Алия", "Aliya") if w in name)
            match = (name.index(found), len(found))
        return WorklistRow(
            f"1.2.{number}",
            name,
            Words(line),
            match,
            modality,
            title,
            Words(subtitle),
            arrived,
            "Ақтөбе, clinic 4",
            AI[ai],
            READING[reading],
            STORAGE[storage],
            matched,
            True,
            f"ds{number}",
        )

    def preview(self, uid: str) -> StudyPreview | None:
        row = self._row(int(uid.rsplit(".", 1)[1]), "")
        history = (
            HistoryEntry(
                uid,
                "LDCT chest",
                "17.11.2026",
                "Ақтөбе, clinic 4",
                "sealed",
                Words("Sealed"),
                Words("waits for your first opinion"),
                "ai",
                True,
            ),
            HistoryEntry(
                "1",
                "LDCT chest",
                "09.09.2025",
                "Ақтөбе, clinic 4",
                "check",
                Words("1 mark, accepted"),
                Words("Signed by Жақсыбекова А. Е."),
                "ai",
            ),
            HistoryEntry(
                "2",
                "Chest film",
                "21.02.2024",
                "Қандыағаш",
                "x",
                Words("1 mark, rejected"),
                Words("Not present: vessel seen end-on"),
                "ai",
            ),
        )
        facts = (
            (Words("Study"), row.title),
            (Words("Acquired"), "17.11.2026 09:42 · Ақтөбе, clinic 4"),
            (Words("Series"), "4 · 143 thin slices, 2.0 mm"),
        )
        return StudyPreview(
            uid,
            row.patient_name,
            Words("F · 14.03.1962 · 64 y · IIN 620314 4•• •27"),
            row.title,
            facts,
            ("ds0", "ds1"),
            row.ai,
            "lung_ct 1.3.0",
            history,
            11,
            True,
        )

    def readers_on_this_pc(self) -> tuple[ReaderOnThisPc, ...]:
        return (ReaderOnThisPc("lung_ct", "1.0.0", "Nodules, chest CT", "CT", Words("thin slices, ≤ 3 mm"), 14.0, "ready"),)

    def machine_words(self) -> tuple[str, ...]:
        return ("4 cores", "16 GB", "no GPU")

    def library_words(self) -> Words:
        return Words("Library encrypted · key in the keyring of this account · 412 GB free")

    def thumbnail(self, display_set_id: str) -> Thumbnail | None:
        return Thumbnail(display_set_id, chest(192, abs(hash(display_set_id)) % 1000))

    def import_paths(self, paths: list) -> str:
        self.asked.append(("import", *paths))
        return "t1"

    def open_samples(self) -> str:
        self.asked.append(("samples",))
        return "t2"

    def tasks(self) -> tuple[TaskView, ...]:
        return self.running

    def run_task(self, fraction: float = 0.42, state: TaskState = TaskState.RUNNING, problem: Problem | None = None) -> None:
        """As the session's tasks: what is done leaves the list."""
        task = TaskView("t1", Words("task.import"), state, fraction, "", problem)
        self.running = () if state is TaskState.DONE else (task,)
        self.changed.emit(Changes(tasks=True))

    def cancel_task(self, task_id: str) -> None:
        self.asked.append(("cancel", task_id))

    def retry_task(self, task_id: str) -> None:
        self.asked.append(("retry", task_id))

    def last_import_summary(self) -> object:
        return self._summary

    def open_study(self, uid: str) -> object:
        from tests.ui.fake_reading import FakeReading

        self.reading = FakeReading(self)
        self.changed.emit(Changes(study=True))
        return self.reading

    def close_study(self) -> None:
        self.reading = None

    def queue(self) -> QueueView:
        tray = self.tray()
        return QueueView(tray.waiting, tray.proven_today, tray.line_down_since)

    def tray(self) -> TrayView:
        counts = {"everything": 5, "needs_you": 1, "queued": 2, "sending": 1, "sent": 0, "proven": 1}
        if self.empty:
            return TrayView("", 0, 0, self._targets(True), (), {}, 0, 0, True)
        both = lambda a, b: (("archive", STORAGE[a]), ("region", STORAGE[b]))  # noqa: E731
        rows = (
            TrayRow(
                "r1",
                "1.2.9",
                "Байжанова Гүлнар Сейітқызы",
                Words("F · 69 y · 570911 4•• •03"),
                "LDCT report, version 2",
                Words("PDF, SR, AI history"),
                1_900_000,
                "needs_you",
                both("conflict", "queued"),
                Words("Compare the two copies"),
                "resend",
            ),
            TrayRow(
                "r2",
                "1.2.6",
                "Егоров Николай Петрович",
                Words("M · 71 y · 550402 3•• •18"),
                "Chest CT report",
                Words("PDF, SR, SEG"),
                92_400_000,
                "moving",
                both("sending", "queued"),
                Words("Nothing to do"),
                "",
            ),
            TrayRow(
                "r3",
                "1.2.7",
                "Мұқанов Ержан Талғатұлы",
                Words("M · 62 y · 640120 3•• •77"),
                "LDCT report",
                Words("PDF, SR"),
                18_400_000,
                "waits",
                both("proven", "queued"),
                Words("Nothing to do"),
                "retry",
            ),
            TrayRow(
                "r4",
                "1.2.8",
                "Әбдірахман Аружан Бекқызы",
                Words("F · 34 y · 920627 4•• •29"),
                "Chest film report",
                Words("PDF, SR"),
                700_000,
                "proven",
                both("proven", "proven"),
                Words("Nothing to do"),
                "",
            ),
        )
        return TrayView("08:12", 2, 41, self._targets(False), rows, counts, 305_000_000, 3139, True)

    @staticmethod
    def _targets(up: bool) -> tuple[TargetView, ...]:
        one = {OutboxState.VERIFIED: 22, OutboxState.SENDING: 1, OutboxState.ACCEPTED: 1}
        two = {OutboxState.VERIFIED: 1, OutboxState.QUEUED: 13, OutboxState.REFUSED: 1}
        return (
            TargetView(
                "archive",
                "Archive of the site",
                "folder",
                Words("Folder archive with DICOMDIR"),
                True,
                {} if up else one,
                None,
            ),
            TargetView(
                "region",
                "Storage, Ақтөбе region",
                "dicomweb",
                Words("DICOMweb · TLS 1.3"),
                up,
                {} if up else two,
                None if up else Problem("sync.line_down"),
            ),
        )

    def proof(self, report_id: str) -> ProofView | None:
        steps = (
            ProofStep(Words("Signed and queued"), Words("one transaction with the report"), "07:44:51", "check"),
            ProofStep(Words("Try 1, line cut"), Words("after 212 of 702 kB; kept as it was"), "07:44:52", "x", "waiting"),
            ProofStep(Words("Read back"), Words("4 objects, 702 kB fetched again"), "07:45:11", "check"),
            ProofStep(Words("SHA-256 equal, 4 of 4"), Words("only now is it called proven"), "07:45:12", "proven", "ok"),
        )
        objects = (
            ("Report, PDF/A", 214_000, "3fd27336aa00" * 5 + "af8a", True),
            ("Findings, SR", 38_000, "37036297" * 8, True),
        )
        facts = ((Words("Server clock"), "07:45:10, 1.2 s behind ours"),)
        return ProofView(report_id, Words("Proven"), "Әбдірахман Аружан Бекқызы", "Chest film report", steps, objects, facts)

    def retry_item(self, report_id: str) -> None:
        self.asked.append(("retry_item", report_id))

    def try_now(self) -> None:
        self.asked.append(("try_now",))

    def shutdown(self) -> None:
        pass
