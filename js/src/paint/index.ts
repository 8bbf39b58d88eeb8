// The SegmentationPainter's page half, as an anywidget module.

import "./paint.css";
import { defineWidget } from "../shared/widget";
import { openSession } from "./session";
import { mountPainter } from "./view";

export default defineWidget({ open: openSession, mount: mountPainter });
