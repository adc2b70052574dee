local pending = obj.status ~= nil and obj.status.pendingRemoval ~= nil and obj.status.pendingRemoval.id ~= nil
return {
  ["refresh"] = {["disabled"] = obj.spec.suspend == true},
  ["confirm-removal"] = {["disabled"] = not pending},
}
