-- Ready sums the other conditions up; Stalled and Reconciling are there only while they are true.
local function found(kind)
  if obj.status ~= nil and obj.status.conditions ~= nil then
    for _, condition in ipairs(obj.status.conditions) do
      if condition.type == kind and condition.status == "True" then
        return condition
      end
    end
  end
  return nil
end

local function message()
  if obj.status ~= nil and obj.status.conditions ~= nil then
    for _, condition in ipairs(obj.status.conditions) do
      if condition.type == "Ready" and condition.message ~= nil then
        return condition.message
      end
    end
  end
  return "Waiting for regcred"
end

local health = {status = "Progressing", message = "Waiting for regcred to see the new spec"}
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return health
end
health.message = message()
if obj.spec.suspend == true then
  health.status = "Suspended"
elseif found("Stalled") ~= nil then
  health.status = "Degraded"
elseif found("Ready") ~= nil then
  health.status = "Healthy"
end
return health
