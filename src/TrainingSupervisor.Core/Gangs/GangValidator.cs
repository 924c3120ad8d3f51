using System.Collections.Immutable;
using System.Text.RegularExpressions;
using TrainingSupervisor.Policies;

namespace TrainingSupervisor;

internal static partial class GangValidator
{
    private const int MaxWorkers = 10_000;

    private static readonly string[] ReservedNames =
    [
        "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "MASTER_ADDR", "MASTER_PORT",
        "POD_NAME", "POD_UID", "POD_IP", "NODE_NAME",
    ];

    public static ImmutableArray<SpecProblem> Validate(GangSpec spec)
    {
        var found = ImmutableArray.CreateBuilder<SpecProblem>();
        void Check(bool right, string path, string message)
        {
            if (!right) found.Add(new SpecProblem(path, message));
        }

        Check(IsLabel(spec.Name, 40), "name",
            $"'{spec.Name}' is no DNS label of at most 40 characters; use lower-case letters, digits and '-', beginning with a letter.");
        Check(IsLabel(spec.Namespace, 63), "namespace", $"'{spec.Namespace}' is no DNS label; use the name of an existing namespace.");
        Check(!spec.Roles.IsEmpty, "roles", "The gang has no role; add one with AddRole.");
        Check(spec.WorldSize <= MaxWorkers, "roles", $"The roles have {spec.WorldSize} workers together; at most {MaxWorkers} are supported.");
        Check(spec.MasterPort is > 0 and <= 65535, "masterPort", $"{spec.MasterPort} is no port; use 1 to 65535.");
        Check(spec.StartDeadline > TimeSpan.Zero, "startDeadline", $"{spec.StartDeadline} must be more than zero.");
        Check(spec.BarrierDeadline > TimeSpan.Zero, "barrierDeadline", $"{spec.BarrierDeadline} must be more than zero.");
        Check(spec.GatherWindow >= TimeSpan.Zero && spec.GatherWindow <= TimeSpan.FromSeconds(10), "gatherWindow",
            $"{spec.GatherWindow} must be between zero and 10 seconds.");
        Check(spec.HangTimeout is null || spec.HangTimeout > TimeSpan.Zero, "hangTimeout",
            $"{spec.HangTimeout} must be more than zero; leave it out to have it learned.");
        ValidateProgress(spec, Check);
        Check(spec.HeartbeatInterval >= TimeSpan.FromMilliseconds(100) && spec.HeartbeatInterval <= TimeSpan.FromMinutes(1), "heartbeat",
            $"{spec.HeartbeatInterval} must be between 100 ms and one minute.");
        Check(spec.Fence == TimeSpan.Zero || spec.Fence >= 2 * spec.HeartbeatInterval, "fence",
            $"{spec.Fence} must be at least two heartbeats ({2 * spec.HeartbeatInterval}); use WithoutFencing() for none.");
        Check(spec.WorkerGrace >= TimeSpan.Zero, "workerGrace", $"{spec.WorkerGrace} must not be negative.");
        Check(spec.QuiesceDeadline >= TimeSpan.Zero, "quiesce.deadline", $"{spec.QuiesceDeadline} must not be negative.");
        Check(spec.QuiesceSignal is > 0 and < 65, "quiesce.signal", $"{spec.QuiesceSignal} is no signal; use 1 to 64.");
        Check(spec.RestartDeadline > TimeSpan.Zero, "restartDeadline", $"{spec.RestartDeadline} must be more than zero.");
        Check(spec.QuarantinePeriod >= TimeSpan.Zero, "quarantine", $"{spec.QuarantinePeriod} must not be negative.");
        Check(!spec.QuarantineTaints || spec.QuarantinePeriod > TimeSpan.Zero, "quarantine.taintNodes", "Without a period there is nothing to tell the Nodes; give one, or leave this out.");
        for (var i = 0; i < spec.NodeSigns.Length; i++)
        {
            var sign = spec.NodeSigns[i];
            Check(!string.IsNullOrWhiteSpace(sign.Name), $"nodeSigns[{i}].name", "No name; give the condition's type or the taint's key.");
            Check(sign.Kind is FailureKind.NodeUnhealthy or FailureKind.NodeDraining, $"nodeSigns[{i}].kind",
                $"{sign.Kind} is not for nodes; use NodeUnhealthy or NodeDraining.");
        }

        PolicyValidator.Validate(spec.Policy, "policy.", spec.Roles, found);

        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var role in spec.Roles)
        {
            ValidateRole(role, seen.Add(role.Name), Check);
        }

        AdoptionValidator.Validate(spec, Check);
        return found.ToImmutable();
    }

    private static void ValidateProgress(GangSpec spec, Action<bool, string, string> check)
    {
        if (spec.HangDetection is { } hang)
        {
            check(hang.Factor > 1, "hangDetection.factor", $"{hang.Factor} must be more than 1.");
            check(hang.AtLeast > TimeSpan.Zero, "hangDetection.atLeast", $"{hang.AtLeast} must be more than zero.");
            check(hang.Unlearned >= hang.AtLeast, "hangDetection.unlearned", $"{hang.Unlearned} is less than the least limit, {hang.AtLeast}.");
            check(hang.WarmUpSteps >= 1, "hangDetection.warmUpSteps", $"{hang.WarmUpSteps} must be at least 1.");
        }

        check(spec.HangDiagnosticsTimeout > TimeSpan.Zero, "hangDiagnostics.timeout", $"{spec.HangDiagnosticsTimeout} must be more than zero.");
        check(spec.HangDiagnostics.IsEmpty || !string.IsNullOrWhiteSpace(spec.HangDiagnostics[0]), "hangDiagnostics.command", "The command has no program.");
        check(spec.ConsequenceExitCodes.All(c => c is > 0 and < 256), "consequenceExitCodes", "Exit codes are 1 to 255; 0 is success.");
        check(spec.FailureDomains.All(d => !string.IsNullOrWhiteSpace(d)), "failureDomains", "A label has no key.");
        if (spec.StragglerDetection is { } straggler)
        {
            check(straggler.Factor > 1, "stragglerDetection.factor", $"{straggler.Factor} must be more than 1.");
            check(straggler.Steps is >= 4 and <= 64, "stragglerDetection.steps", $"{straggler.Steps} must be 4 to 64.");
        }
    }

    private static void ValidateRole(RoleSpec role, bool unique, Action<bool, string, string> check)
    {
        var path = $"roles[{role.Name}]";
        check(unique, path, $"There are two roles named '{role.Name}'; give each its own name.");
        check(IsLabel(role.Name, 15), $"{path}.name", $"'{role.Name}' is no DNS label of at most 15 characters.");
        check(role.Count is > 0 and <= MaxWorkers, $"{path}.count", $"{role.Count} workers; use 1 to {MaxWorkers}.");
        check(role.Spares >= 0, $"{path}.spares", $"{role.Spares} must not be negative.");
        for (var i = 0; i < role.SparePools.Length; i++)
        {
            var pool = role.SparePools[i];
            check(pool.Count > 0, $"{path}.sparePools[{i}].count", $"{pool.Count} spares; use 1 or more.");
            check(!string.IsNullOrWhiteSpace(pool.NodeLabel), $"{path}.sparePools[{i}].nodeLabel", "No label; name one that nodes carry.");
            check(role.SparePools.Take(i).All(p => p.Name != pool.Name), $"{path}.sparePools[{i}]", $"There are two pools for {pool.Name}; make it one.");
        }

        check(role.CellSize >= 0 && (role.CellSize == 0 || role.Count % role.CellSize == 0), $"{path}.cells",
            $"Cells of {role.CellSize} do not divide {role.Count} workers; use a divisor.");
        check(role.WorkerMultiple > 0, $"{path}.minWorkers.multipleOf", $"{role.WorkerMultiple} must be 1 or more.");
        check(role.ShrinkDeadline > TimeSpan.Zero, $"{path}.minWorkers.deadline", $"{role.ShrinkDeadline} must be more than zero.");
        if (role.MinWorkers != int.MaxValue)
        {
            check(role.MinWorkers > 0 && role.MinWorkers < role.Count, $"{path}.minWorkers",
                $"{role.MinWorkers} must be at least 1 and less than the count, {role.Count}; leave it out for a role that may not shrink.");
            check(role.WorkerMultiple <= 0 || role.Count % role.WorkerMultiple == 0, $"{path}.minWorkers.multipleOf",
                $"The count, {role.Count}, is no multiple of {role.WorkerMultiple}.");
            check(role.WorkerMultiple <= 0 || role.CellSize <= 0 || role.WorkerMultiple % role.CellSize == 0, $"{path}.minWorkers.multipleOf",
                $"{role.WorkerMultiple} is no multiple of the cells' size, {role.CellSize}: a shrunk role has whole cells.");
        }

        check(role.Adopted is null || role.MinWorkers == int.MaxValue, $"{path}.minWorkers",
            "An adopted role cannot shrink: what creates its Pods decides how many there are.");
        check(role.Adopted is not null || role.Image.Length > 0 || role.PodTemplate is not null, $"{path}.image", "No image; set one with WithImage or a Pod template.");
        check(((role.Sidecar || role.Adopted is not null) && role.Command.IsEmpty) || (!role.Command.IsEmpty && !string.IsNullOrWhiteSpace(role.Command[0])), $"{path}.command",
            "No command; set one with WithCommand. The agent must know it to hold the worker at the barrier, unless it runs AsSidecar.");
        check(role.Adopted is not null || role.Agent.Length > 0, $"{path}.agent",
            "No agent; choose WithAgentFromImageVolume, WithAgentFromInitContainer or WithAgentInImage.");
        check(role.AgentDelivery != AgentDelivery.InImage || role.Agent.Length == 0 || role.Agent.StartsWith('/'), $"{path}.agent",
            $"'{role.Agent}' is no absolute path in the worker's image.");
        HealthValidator.Validate(role, path, check);
        foreach (var name in role.Environment.Keys)
        {
            check(!ReservedNames.Contains(name) && !name.StartsWith("GANG_", StringComparison.Ordinal), $"{path}.environment[{name}]",
                "This name belongs to the worker contract; choose another.");
            check(EnvironmentName().IsMatch(name), $"{path}.environment[{name}]", "Not a variable name; use letters, digits and '_'.");
        }
    }

    private static bool IsLabel(string? text, int length) => text is not null && text.Length <= length && Label().IsMatch(text);

    [GeneratedRegex("^[a-z]([-a-z0-9]*[a-z0-9])?$")]
    private static partial Regex Label();

    [GeneratedRegex("^[A-Za-z_][A-Za-z0-9_]*$")]
    private static partial Regex EnvironmentName();
}
