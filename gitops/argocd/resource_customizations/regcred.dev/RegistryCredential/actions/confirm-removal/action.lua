-- Confirms the removal that the status shows and no other: its ID is used up by it.
if obj.status == nil or obj.status.pendingRemoval == nil then
  error("no removal waits for a confirmation")
end
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["regcred.dev/confirm-removal"] = obj.status.pendingRemoval.id
return obj
