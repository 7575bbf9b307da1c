"""Waveform objects (ECG, haemodynamic, audio) as channels in their own units (PS3.3 C.10.9)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from app.domain.document import Channel, WaveformGroup
from app.domain.problem import fail

MAX_CHANNELS = 512
MAX_SAMPLES = 200_000_000
_DTYPES = {"SB": "<i1", "UB": "<u1", "SS": "<i2", "US": "<u2", "SL": "<i4", "UL": "<u4", "SV": "<i8", "UV": "<u8"}
_COMPANDED = {"MB", "AB"}


def groups_of(ds: Any) -> tuple[WaveformGroup, ...]:
    """Multiplex groups of a pydicom data set. Raises ``document.waveform_broken`` or ``document.waveform_coding``."""
    return tuple(_group(item, n) for n, item in enumerate(ds.get("WaveformSequence") or (), 1))


def _group(item: Any, number: int) -> WaveformGroup:
    channels, samples = int(item.NumberOfWaveformChannels), int(item.NumberOfWaveformSamples)
    coding = str(item.get("WaveformSampleInterpretation", "SS"))
    if not 0 < channels <= MAX_CHANNELS or not 0 <= samples * channels <= MAX_SAMPLES:
        raise fail("document.waveform_broken")
    data = bytes(item.WaveformData)
    if coding not in _DTYPES and coding not in _COMPANDED:
        raise fail("document.waveform_coding", coding=coding[:4])
    dtype = np.dtype("u1") if coding in _COMPANDED else np.dtype(_DTYPES[coding])
    if len(data) < samples * channels * dtype.itemsize:
        raise fail("document.waveform_broken")
    stored = np.frombuffer(data, dtype, samples * channels).reshape(samples, channels)
    padding = _padding(item, dtype)
    definitions = list(item.get("ChannelDefinitionSequence") or ())
    made = []
    for n in range(channels):
        column = stored[:, n]
        values = _expanded(column, coding) if coding in _COMPANDED else column.astype(np.float32)
        definition = definitions[n] if n < len(definitions) else None
        name, unit, scale, offset = _definition(definition, n)
        values = (values + np.float32(offset)) * np.float32(scale)
        if padding is not None:
            values[column == padding] = np.nan
        made.append(Channel(name, unit, values))
    label = str(item.get("MultiplexGroupLabel", "") or f"#{number}")
    return WaveformGroup(label, float(item.get("SamplingFrequency", 0) or 0), tuple(made))


def _padding(item: Any, dtype: np.dtype[Any]) -> Any:
    raw = item.get("WaveformPaddingValue")
    if raw is None:
        return None
    if isinstance(raw, bytes):
        return np.frombuffer(raw[: dtype.itemsize], dtype)[0] if len(raw) >= dtype.itemsize else None
    return dtype.type(int(raw))


def _definition(definition: Any, number: int) -> tuple[str, str, float, float]:
    """(name, unit, factor, baseline): value = (stored + baseline in samples) × sensitivity × correction (C.10.9.1.4)."""
    if definition is None:
        return f"#{number + 1}", "", 1.0, 0.0
    source = definition.get("ChannelSourceSequence")
    name = str(
        definition.get("ChannelLabel", "") or (source[0].get("CodeMeaning", "") if source else "") or f"#{number + 1}"
    )
    if "ChannelSensitivity" not in definition:
        return name, "", 1.0, 0.0
    units = definition.get("ChannelSensitivityUnitsSequence")
    unit = str(units[0].get("CodeValue", "")) if units else ""
    factor = float(definition.ChannelSensitivity) * float(definition.get("ChannelSensitivityCorrectionFactor", 1) or 1)
    baseline = float(definition.get("ChannelBaseline", 0) or 0)
    # Channel Baseline is stated in the channel's unit: the value of sample 0.
    return name, unit, factor, baseline / factor if factor else 0.0


def _expanded(column: npt.NDArray[Any], coding: str) -> npt.NDArray[np.float32]:
    """8-bit companded audio (ITU-T G.711): MB is mu-law, AB is A-law; -1..1."""
    code = column.astype(np.int32)
    if coding == "MB":
        code = ~code & 0xFF
        sign, exponent, mantissa = code & 0x80, (code >> 4) & 7, code & 15
        magnitude = (((mantissa << 3) + 0x84) << exponent) - 0x84
        return np.asarray(np.where(sign, -magnitude, magnitude) / 32768.0, dtype=np.float32)
    code ^= 0x55
    sign, exponent, mantissa = code & 0x80, (code >> 4) & 7, code & 15
    magnitude = np.where(exponent == 0, (mantissa << 4) + 8, ((mantissa << 4) + 0x108) << np.maximum(exponent - 1, 0))
    return np.asarray(np.where(sign, magnitude, -magnitude) / 32768.0, dtype=np.float32)
