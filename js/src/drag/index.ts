// The DragEditor's page half, as an anywidget module.

import "./drag.css";
import { defineWidget } from "../shared/widget";
import { openSession } from "./session";
import { mountEditor } from "./view";

export default defineWidget({ open: openSession, mount: mountEditor });
