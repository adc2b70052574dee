local actions = {}
actions["refresh"] = {["disabled"] = obj.spec ~= nil and obj.spec.suspend == true}
actions["confirm-removal"] = {["disabled"] = obj.status == nil or obj.status.pendingRemoval == nil}
return actions
