-- Confirms the removal that waits now, and no other one.
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["regcred.dev/confirm-removal"] = obj.status.pendingRemoval.id
return obj
