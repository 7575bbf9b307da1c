"""A reading session over painted pictures: what the reading room and the report desk ask for, nothing behind it."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np

from app.domain.finding import Finding, Location, ReaderIdentity, Source
from app.domain.measurement import Code
from app.domain.problem import Problem
from app.domain.report import KeyImage, Origin, Report, ReportLine, ReportSection
from app.domain.verdict import Decision, FirstOpinion, ImageQuality, Overall, RejectReason, Verdict
from app.session.hanging_said import HangingSaid
from app.session.views import (
    AiState,
    Changes,
    FindingCard,
    HistoryEntry,
    ReportView,
    SecondReadView,
    SeriesCard,
    Status,
    Words,
)
from app.viewer.primitives import Anchor, ColourBar, Ellipse, Line, Role, Text

NODULE = Code("27925004", "SCT", "Nodule")
ONE_AND_THREE = (("pane-0", 0.0, 0.0, 0.6645, 1.0), *((f"pane-{n + 1}", 0.6645, n / 3, 0.3355, 1 / 3) for n in range(3)))
SIZES = (
    (Words("Long × short"), "11.6 × 10.8", "mm"),
    (Words("Volume"), "1128", "mm³"),
    (Words("Mean"), "11", "HU"),
)


def _finding(number: int, source: Source) -> Finding:
    reader = ReaderIdentity("lung_ct", "1.0.0", "0" * 64) if source is Source.AI else None
    return Finding(
        f"2.25.{number}",
        source,
        NODULE,
        Location((10.0, 20.0, float(number))),
        reader=reader,
        attributes=(("composition", "solid"),),
        confidence=None if reader else 4,
    )


def _card(number: int, badge: str, title: str, region: str, source: Source, **kw: object) -> FindingCard:
    return FindingCard(
        _finding(number, source), badge, Words(title), Words(region), SIZES, Words("Se 2 · Im 18 · z 1178.0"), **kw
    )  # type: ignore[arg-type]


class FakeReading:
    awaited_words = None
    earlier = None
    hangings = None
    teeth = None

    def __init__(self, workstation: object) -> None:
        self._ws = workstation
        self.study = SimpleNamespace(study_instance_uid="1.2.0")
        self.guidelines = None
        self.jaw = SimpleNamespace(possible=lambda: False)
        self.quadrants = SimpleNamespace(possible=lambda: False)
        self.room = SimpleNamespace(
            fusion=SimpleNamespace(possible=lambda: False, is_on=lambda: False),
            cine=SimpleNamespace(info=lambda pane: None, can_play=lambda p: False, is_playing=lambda p: False, rate=0.0),
            crosshair=True,
            linked=True,
            active="pane-0",
            text_width=None,
            presets=lambda: (),
            volume_looks=lambda: (),
            flickers=lambda: False,
            pane=lambda _i: SimpleNamespace(appearance=SimpleNamespace(window=None), preset=""),
        )
        self.own = [
            _card(1, "1", "Solid nodule", "Right upper lobe · posterior S2", Source.MINE),
            _card(2, "2", "Ground-glass nodule", "Right lower lobe · superior S6", Source.MINE),
        ]
        self.desk = SimpleNamespace(own_findings=list, marks=(), mark=lambda _id: None)
        self.selected_finding = "2.25.1"
        self.active_tool = "bidirectional"
        self.opinion: FirstOpinion | None = None
        self.verdicts: dict[str, Verdict] = {}
        self.heat = {"visible": True, "opacity": 0.6, "threshold": 0.3}
        self.asked: list[tuple] = []
        self.shape = ONE_AND_THREE
        self.language = "en"
        self.signed = ""

    def banner(self) -> tuple[str, Words]:
        return "Серікбаева Әлия Маратқызы", Words("F · 14.03.1962 · 64 y · IIN 620314 4•• •27")

    saved = None

    def series_cards(self) -> tuple[SeriesCard, ...]:
        names = ("Scout", "Lung 2.0", "Med. 2.0", "Cor 3.0")
        return tuple(
            SeriesCard(f"ds{n}", str(n + 1), name, 143, "CT", "stack", None, (), n == 1) for n, name in enumerate(names)
        )

    def prior_cards(self) -> tuple[SeriesCard, ...]:
        return (SeriesCard("ds8", "", "LDCT chest", 141, "CT", "stack", None, (), False, "09.09.2025"),)

    def history(self) -> tuple[HistoryEntry, ...]:
        return self._ws.preview("1.2.0").history

    def hanging_title(self) -> Words:
        return Words("Chest CT screening, with prior")

    def hanging_stage(self) -> tuple[int, int]:
        return (1, 3)

    def next_stage(self) -> None: ...

    def previous_stage(self) -> None: ...

    def hanging_explanation(self) -> HangingSaid:
        return HangingSaid(Words("CT of the chest"))

    def layout(self) -> object:
        return SimpleNamespace(
            name="1+3" if len(self.shape) == 4 else "1x1",
            panes=tuple(SimpleNamespace(pane_id=p, x=x, y=y, w=w, h=h) for p, x, y, w, h in self.shape),
            active="pane-0",
        )

    def layouts(self) -> tuple[str, ...]:
        return ("1x1", "2x2", "1+3")

    def set_layout(self, name: str) -> None:
        self.shape = ONE_AND_THREE if name == "1+3" else (("pane-0", 0.0, 0.0, 1.0, 1.0),)
        self._ws.changed.emit(Changes(layout=True))

    def activate(self, pane_id: str) -> None: ...

    def put_in_pane(self, pane_id: str, display_set_id: str) -> None:
        self.asked.append(("put", pane_id, display_set_id))

    def patient_request(self, pane_id: str, width: int, height: int, scale: float) -> object:
        return self.picture_request(pane_id, width, height, scale, False)

    def picture_request(self, pane_id: str, width: int, height: int, scale: float, draft: bool) -> object:
        revealed = self.opinion is not None and self.heat["visible"]

        def make() -> object:
            from tests.ui.fake_workstation import chest

            side = max(width, height)
            image = cv2.resize(chest(256), (side, side), interpolation=cv2.INTER_LINEAR)
            image = np.ascontiguousarray(image[(side - height) // 2 :, (side - width) // 2 :][:height, :width])
            m, f = 12 * scale, 12 * scale
            x, y = width * 0.3, height * 0.5
            marks = [
                Text(m, m, "Серікбаева Әлия Маратқызы", bold=True, size_px=f, key="identity"),
                Text(m, m + 16 * scale, "IIN 620314 4•• •27", size_px=f, key="patient_id"),
                Text(width - m, m, "17.11.2026 09:42", Anchor.TOP_RIGHT, size_px=f),
                Text(m, height - m, "W 1500 L −600 · Lung", Anchor.BOTTOM_LEFT, size_px=f, plate=True),
                Text(width - m, height - m, "2.60× · interpolated", Anchor.BOTTOM_RIGHT, size_px=f),
                Text(m, height / 2, "R", Anchor.LEFT, size_px=f, bold=True, plate=True),
                Ellipse(x, y, 20, 16, 0, Role.MINE, 1.5),
                Line(x + 16, y - 12, x + 60, y - 50, Role.MINE),
                Text(x + 60, y - 50, "1", Anchor.LEFT, Role.MINE, f, True, framed=True),
            ]
            if revealed:
                marks += [
                    Ellipse(width * 0.6, y, 30, 26, 0, Role.AI, 1.5, True),
                    ColourBar(width - 40, y, 14, 200, "inferno", 0.3),
                ]
            return SimpleNamespace(
                pane_id=pane_id, pixels=image, decorations=tuple(marks), loading=False, fraction=0.0, problem=None
            )

        return make

    def tools(self) -> tuple[object, ...]:
        names = ("window", "zoom", "pan", "scroll", "probe", "length", "bidirectional", "angle", "ellipse", "rectangle")
        return tuple(
            SimpleNamespace(name=n, title=Words(n.capitalize()), icon=n, group="look", active=n == self.active_tool)
            for n in names
        )

    def set_tool(self, name: str) -> None:
        self.active_tool = name

    def pointer(self, pane_id: str, kind: str, event: object, tool: str = "") -> None:
        self.asked.append(("pointer", pane_id, kind, event, tool))

    def window_presets(self) -> tuple[tuple[str, Words, str], ...]:
        return (("lung", Words("Lung"), "1"), ("mediastinum", Words("Mediastinum"), "2"))

    def command(self, name: str, /, **kw: object) -> None:
        self.asked.append(("command", name, kw))
        if name == "toggle_ai":
            self.set_heatmap(visible=not self.heat["visible"])

    def second_read(self) -> SecondReadView:
        committed = self.opinion is not None
        ai = (
            tuple(
                _card(
                    10 + n,
                    f"A{n + 1}",
                    "Solid nodule",
                    region,
                    Source.AI,
                    verdict=self.verdicts.get(f"2.25.{10 + n}"),
                    of_100=72,
                    of_100_data="LIDC test",
                    of_100_interval=(64, 79),
                    band_range=(0.8, 0.9),
                )
                for n, region in enumerate(("Left upper lobe · apicoposterior S1+2", "Left lower lobe"))
            )
            if committed
            else ()
        )
        agreed = (
            (
                _card(
                    20,
                    "A3",
                    "Solid nodule",
                    "Right upper lobe",
                    Source.AI,
                    verdict=self.verdicts.get("2.25.20"),
                    agrees_with="1",
                ),
            )
            if committed
            else ()
        )
        state = AiState.REVEALED if committed else AiState.SEALED
        answered = sum(c.finding.finding_id in self.verdicts for c in (*ai, *agreed))
        total = len(ai) + len(agreed)
        return SecondReadView(
            state,
            "lung_ct",
            "1.0.0",
            None,
            None,
            "09:47",
            "second",
            "10:29:42" if committed else "",
            tuple(self.own),
            ai,
            (self.own[1],) if committed and len(self.own) > 1 else (),
            agreed,
            total - answered,
            total,
            committed,
            self.heat["visible"],
            self.heat["opacity"],
            self.heat["threshold"],
        )

    def regions(self) -> tuple[tuple[str, Words], ...]:
        return (("region.lung.right_upper", Words("Right upper lobe")), ("region.lung.left_upper", Words("Left upper lobe")))

    def finding_kinds(self) -> tuple[tuple[str, Words], ...]:
        return (("nodule", Words("Nodule")), ("mass", Words("Mass")))

    def reject_reasons(self) -> tuple[tuple[RejectReason, Words], ...]:
        return tuple((r, Words(f"ui.reason.{r.value}")) for r in RejectReason)

    def add_mark(self) -> str:
        self.own.append(_card(3, "3", "Nodule", "", Source.MINE))
        self._ws.changed.emit(Changes(findings=True))
        return "2.25.3"

    def edit_mark(self, finding_id: str, **kw: object) -> None:
        self.asked.append(("edit", finding_id, kw))

    def remove_mark(self, finding_id: str) -> None:
        self.own = [c for c in self.own if c.finding.finding_id != finding_id]
        self._ws.changed.emit(Changes(findings=True))

    def commit(self, overall: Overall, quality: ImageQuality = ImageQuality.DIAGNOSTIC) -> None:
        self.opinion = FirstOpinion("1.2.0", "p1", "h", overall, quality, tuple(c.finding for c in self.own))
        self.selected_finding = ""
        self._ws.changed.emit(Changes(second_read=True, findings=True, view=True))

    def reveal(self) -> None:
        self.commit(Overall.FINDINGS)

    def show_ai(self) -> None:
        self.commit(Overall.NOT_GIVEN)

    def retry_read(self) -> None:
        self.asked.append(("retry_read",))

    def first_opinion(self) -> FirstOpinion | None:
        return self.opinion

    def select_finding(self, finding_id: str) -> None:
        self.selected_finding = finding_id
        self._ws.changed.emit(Changes(findings=True))

    jump_to = select_finding

    def next_unanswered(self) -> None:
        view = self.second_read()
        waiting = [c for c in (*view.ai_only, *view.agreed) if c.verdict is None]
        if waiting:
            self.select_finding(waiting[0].finding.finding_id)

    def _give(self, finding_id: str, decision: Decision, **kw: object) -> None:
        self.verdicts[finding_id] = Verdict(f"v{finding_id}", finding_id, decision, "p1", "h", **kw)  # type: ignore[arg-type]
        self._ws.changed.emit(Changes(findings=True, second_read=True))

    def accept(self, finding_id: str) -> None:
        self._give(finding_id, Decision.ACCEPTED)

    def accept_agreed(self) -> None:
        self.accept("2.25.20")

    def reject(self, finding_id: str, reason: RejectReason, comment: str = "") -> None:
        self._give(finding_id, Decision.REJECTED, reason=reason)

    def modify(self, finding_id: str, **changes: object) -> None:
        number = int(finding_id.rsplit(".", 1)[1])
        self._give(finding_id, Decision.MODIFIED, modified=_finding(number, Source.AI))

    def set_heatmap(self, **kw: object) -> None:
        self.heat.update({k: v for k, v in kw.items() if v is not None})  # type: ignore[arg-type]
        self._ws.changed.emit(Changes(view=True, second_read=True))

    def then(self, finding_id: str) -> None:
        return None

    def finding_thumbnail(self, finding_id: str, plane: str = "axial") -> np.ndarray | None:
        from tests.ui.fake_workstation import chest

        if plane == "sagittal":
            return None
        return np.ascontiguousarray(np.repeat(chest(256, 7)[80:176, 20:116, None], 3, axis=2))

    # report

    def report(self) -> ReportView:
        _, png = cv2.imencode(".png", cv2.resize(self.finding_thumbnail("x"), (448, 296)))
        lines = (
            ReportLine(
                "В верхней доле левого лёгкого, в S1+2, паравертебрально, солидный очаг 11,6 × 10,8 мм "
                "(средний диаметр 11,2 мм, объём 1128 мм³), прилежит к плевре.",
                Origin.AI_ACCEPTED,
                ("2.25.10",),
                1,
            ),
            ReportLine("В верхней доле правого лёгкого, в S2, солидный очаг 6,2 × 5,4 мм.", Origin.BOTH, ("2.25.1",), 2),
            ReportLine(
                "В нижней доле правого лёгкого, в S6, очаг по типу «матового стекла» 9,0 × 7,6 мм.",
                Origin.MINE,
                ("2.25.2",),
                3,
            ),
        )
        text = (
            ReportLine(
                "Трахея и крупные бронхи проходимы. Лимфатические узлы не увеличены. Выпота в плевральных полостях нет."
            ),
        )
        sections = (
            ReportSection("lungs", "Лёгкие", lines),
            ReportSection("mediastinum", "Средостение, плевра, кости", text),
            ReportSection(
                "impression",
                "Заключение",
                (ReportLine("Солидный очаг S1+2 левого лёгкого, 11,6 × 10,8 мм.", Origin.AI_ACCEPTED, ("2.25.10",), 1),),
            ),
            ReportSection("recommendation", "Рекомендации", (ReportLine("Дообследование очага S1+2 левого лёгкого."),)),
        )
        header = {
            "Пациент": "Серікбаева Әлия Маратқызы",
            "Дата": "17.11.2026 09:42",
            "ИИН": "620314 4•• •27 · жен. · 14.03.1962",
            "Сравнение": "НДКТ 09.09.2025",
            "Показание": "Скрининг",
            "Техника": "120 кВ, 40 мАс, срез 2,0 мм",
        }
        images = tuple(KeyImage(n, f"S{n} слева", "1.2", 18, "2.25.10", png.tobytes()) for n in (1, 2, 3))
        made = Report(
            "2.25.99",
            "1.2.0",
            1,
            "ru",
            "Низкодозная КТ органов грудной клетки",
            sections,
            images,
            header,
            demonstration=True,
        )
        unanswered = self.second_read().unanswered
        blocked = () if self.opinion is not None and not unanswered else (Problem("ui.test.blocked", {"n": 1}),)
        storage = (
            Status("queued", Words("Queued"), Words("kept encrypted on this computer, also with the line down")),
            Status("sent", Words("Accepted"), Words("archive of this site")),
            Status("proven", Words("Proven"), Words("read back, SHA-256 equal"), "ok" if self.signed else "text"),
        )
        return ReportView(
            made,
            "10:34:08",
            blocked,
            "Жақсыбекова Айнұр Ерланқызы",
            Words("PKCS#12 · site test CA · valid to 02.06.2027"),
            True,
            self.signed,
            1,
            (("ldct", "НДКТ органов грудной клетки"), ("plain", "Свободный текст")),
            "ldct",
            storage,
        )

    def set_report_language(self, code: str) -> None:
        self.asked.append(("report_language", code))

    def set_template(self, template_id: str) -> None:
        self.asked.append(("template", template_id))

    def edit_line(self, section_id: str, index: int, text: str) -> None:
        self.asked.append(("edit_line", section_id, index, text))

    def add_line(self, section_id: str, text: str, index: int | None = None) -> None:
        self.asked.append(("add_line", section_id, text))

    def remove_line(self, section_id: str, index: int) -> None:
        self.asked.append(("remove_line", section_id, index))

    def phrases(self, section_id: str) -> tuple[str, ...]:
        return ("Без динамики.", "Рекомендован контроль через 12 месяцев.")

    def report_pdf(self) -> bytes:
        return b"%PDF-1.7"

    def choose_certificate(self, content: bytes, name: str) -> None:
        self.asked.append(("certificate", name))

    def sign(self, pin: str) -> None:
        from app.domain.problem import ProblemError

        if pin != "1234":
            raise ProblemError(Problem("The PIN is wrong."))
        self.signed = "10:41:00"
        self._ws.changed.emit(Changes(report=True, tray=True))
