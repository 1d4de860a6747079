"""Kinds of settings, by where CellProfiler has their code; pipelines in JSON name it."""

from __future__ import annotations

IMAGE = "cellprofiler_core.setting.subscriber.image_subscriber._image_subscriber.ImageSubscriber"
OBJECTS = "cellprofiler_core.setting.text.alphanumeric.name._label_name.LabelName"
NEW_IMAGE = "cellprofiler_core.setting.text.alphanumeric.name.image_name._image_name.ImageName"
CHOICE = "cellprofiler_core.setting.choice._choice.Choice"
YES_NO = "cellprofiler_core.setting._binary.Binary"
INTEGER = "cellprofiler_core.setting.text.number.integer._integer.Integer"
FLOAT = "cellprofiler_core.setting.text.number._float.Float"
INTEGERS = "cellprofiler_core.setting.range.integer_range._integer_range.IntegerRange"
FLOATS = "cellprofiler_core.setting.range._float_range.FloatRange"
TEXT = "cellprofiler_core.setting.text._text.Text"
FOLDER = "cellprofiler_core.setting.text._directory.Directory"
FILE = "cellprofiler_core.setting.text._filename.Filename"
MEASUREMENT = "cellprofiler_core.setting._measurement.Measurement"
COUNT = "cellprofiler_core.setting._hidden_count.HiddenCount"
