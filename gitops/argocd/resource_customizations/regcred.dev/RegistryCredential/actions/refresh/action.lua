-- Has the source read now. A value that the source gave before and that is meant is used then, too.
local os = require("os")
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["regcred.dev/refresh-requested-at"] = os.date("!%Y-%m-%dT%XZ")
return obj
