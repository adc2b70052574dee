-- How well a RegistryCredential or a VaultConnection is. The operator sums up its conditions in Ready; Stalled says that a person must act.
local hs = {status = "Progressing", message = "Waiting for regcred to look at it"}
if obj.status == nil or obj.status.conditions == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return hs
end
local conditions = {}
for _, condition in ipairs(obj.status.conditions) do
  conditions[condition.type] = condition
end
local ready = conditions["Ready"]
if ready == nil then
  return hs
end
hs.message = ready.message
if conditions["Stalled"] ~= nil and conditions["Stalled"].status == "True" then
  hs.status = "Degraded"
  hs.message = conditions["Stalled"].message
elseif obj.metadata.deletionTimestamp ~= nil then
  if conditions["Reconciling"] ~= nil then
    hs.message = conditions["Reconciling"].message
  end
elseif ready.status == "True" then
  hs.status = "Healthy"
elseif ready.reason == "Suspended" then
  hs.status = "Suspended"
end
return hs
