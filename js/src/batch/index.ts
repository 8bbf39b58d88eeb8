// The BatchPreview's page half, as an anywidget module.

import "./batch.css";
import { defineWidget } from "../shared/widget";
import { openSession } from "./session";
import { mountBatch } from "./view";

export default defineWidget({ open: openSession, mount: mountBatch });
