using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Api;

/// <summary>Every verb but watch.</summary>
internal sealed class ResourceHandler(ObjectStore store, ListPager pager, Admission admission, EmbeddedClusterOptions options)
{
    private readonly PodSubresources _pods = new(store, options.TimeProvider);

    /// <summary>Reads a container's log: namespace, Pod, container or null, previous. Set by the nodes; without it there are no logs.</summary>
    public Func<string, string, string?, bool, CancellationToken, Task<byte[]>>? PodLog { get; set; }

    public async Task<ApiResponse> HandleAsync(ApiCall call, HttpRequest request)
    {
        if (request.Query["dryRun"].FirstOrDefault(v => v != "All") is { } other)
        {
            throw DryRunInvalid(other);
        }

        var body = call.Verb is "get" or "list" ? [] : await RequestBody.ReadAsync(request, request.HttpContext.RequestAborted).ConfigureAwait(false);
        EnsureNamespace(call);
        return call.Verb switch
        {
            "get" when call.Subresource == "log" && call.Type == ResourceType.Pods && PodLog is { } read =>
                await LogAsync(call, read, request.HttpContext.RequestAborted).ConfigureAwait(false),
            "get" => Get(call),
            "list" => pager.List(call),
            "create" when call.Subresource is not null => _pods.Create(call, RequestBody.Parse(body, yaml: false) as JsonObject ?? []),
            "create" => Create(call, RequestBody.Object(request, body, call.Type)),
            "update" => Update(call, RequestBody.Object(request, body, call.Type)),
            "patch" => Patch(call, request, body),
            "delete" => Delete(call, Options(call, body)),
            "deletecollection" => DeleteCollection(call, Options(call, body)),
            _ => throw ApiError.Of(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", []),
        };
    }

    private async Task<ApiResponse> LogAsync(
        ApiCall call, Func<string, string, string?, bool, CancellationToken, Task<byte[]>> read, CancellationToken ct)
    {
        Current(call);
        var text = await read(
            call.Namespace!, call.Name!, call.Query["container"].LastOrDefault(), ApiCall.Flag(call.Query, "previous"), ct).ConfigureAwait(false);
        return new(200, text, "text/plain");
    }

    private ApiResponse Get(ApiCall call)
    {
        if (call.Subresource is not (null or "status"))
        {
            throw NoSubresource();
        }

        return ApiResponse.Ok(Current(call));
    }

    private ApiResponse Create(ApiCall call, JsonObject obj) => ApiResponse.Created(CreateObject(call, obj));

    private JsonObject CreateObject(ApiCall call, JsonObject obj)
    {
        var metadata = obj.Metadata();
        if (call.Type.Namespaced)
        {
            if (call.Namespace is null)
            {
                throw ApiError.Of(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", []);
            }

            if (metadata.Text("namespace") is { Length: > 0 } said && said != call.Namespace)
            {
                throw ApiError.BadRequest("the namespace of the provided object does not match the namespace sent on the request");
            }

            metadata["namespace"] = call.Namespace;
        }

        if (string.IsNullOrEmpty(metadata.Text("name")) && metadata.Text("generateName") is { Length: > 0 } prefix)
        {
            // The alphabet of Kubernetes' generated names: no vowels, and nothing that looks like something else.
            metadata["name"] = prefix + RandomNumberGenerator.GetString("bcdfghjklmnpqrstvwxz2456789", 5);
        }

        if (metadata.Text("resourceVersion") is { Length: > 0 })
        {
            throw ApiError.Of(500, null, "resourceVersion should not be set on objects to be created");
        }

        Schema.Prune(call.Type, obj, IsStrict(call));
        admission.Create(call.Type, obj);
        if (!call.DryRun)
        {
            return store.Create(call.Type, obj);
        }

        if (store.Get(call.Type, call.Namespace, obj.Name()) is not null)
        {
            throw ApiError.AlreadyExists(call.Type, obj.Name());
        }

        metadata["uid"] = Guid.NewGuid().ToString();
        metadata["creationTimestamp"] = Json.Time(options.TimeProvider.GetUtcNow());
        ObjectStore.Identify(call.Type, obj);
        return obj;
    }

    private ApiResponse Update(ApiCall call, JsonObject wanted)
    {
        if (call.Subresource is not (null or "status"))
        {
            throw NoSubresource();
        }

        Schema.Prune(call.Type, wanted, IsStrict(call));
        var metadata = wanted.Metadata();
        if (metadata.Text("name") is { } name && name != call.Name)
        {
            throw ApiError.BadRequest(
                $"the name of the object ({name}) does not match the name on the URL ({call.Name})");
        }

        metadata["name"] = call.Name;
        if (string.IsNullOrEmpty(metadata.Text("resourceVersion")) && call.Type == ResourceType.Leases)
        {
            throw ApiError.Invalid(call.Type, call.Name!, [FieldError.Invalid("metadata.resourceVersion", "0", "must be specified for an update")]);
        }

        return ApiResponse.Ok(Change(call, metadata.Text("resourceVersion"), current =>
        {
            if (metadata.Text("uid") is { Length: > 0 } uid && uid != current.Uid())
            {
                throw ApiError.Conflict(call.Type, call.Name!,
                    $"Precondition failed: UID in precondition: {uid}, UID in object meta: {current.Uid()}");
            }

            return wanted;
        }));
    }

    private ApiResponse Patch(ApiCall call, HttpRequest request, byte[] body)
    {
        if (call.Subresource is not (null or "status"))
        {
            throw NoSubresource();
        }

        switch (RequestBody.MediaType(request))
        {
            case "application/json-patch+json":
                var operations = RequestBody.Parse(body, yaml: false) as JsonArray
                    ?? throw ApiError.BadRequest("json: cannot unmarshal object into Go value of type jsonpatch.Patch");
                return ApiResponse.Ok(Change(call, null, current => JsonPatch.Apply(current, operations)));
            case "application/merge-patch+json":
                return ApiResponse.Ok(Merge(call, ObjectOf(body, yaml: false), strategic: false));
            case "application/strategic-merge-patch+json":
                return ApiResponse.Ok(Merge(call, ObjectOf(body, yaml: false), strategic: true));
            case "application/apply-patch+yaml":
                return Apply(call, ObjectOf(body, yaml: true));
            default:
                throw RequestBody.UnsupportedMediaType();
        }
    }

    private JsonObject Merge(ApiCall call, JsonObject patch, bool strategic) =>
        Change(call, patch.At("metadata").Text("resourceVersion"), current =>
        {
            MergePatch.Apply(current, patch, strategic);
            return current;
        });

    /// <summary>Server-side apply without field owners: creates the object, or merges into it.</summary>
    private ApiResponse Apply(ApiCall call, JsonObject wanted)
    {
        if (string.IsNullOrEmpty(call.Query["fieldManager"].LastOrDefault()))
        {
            throw ApiError.Of(422, "Invalid",
                "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
                new JsonObject { ["group"] = "meta.k8s.io", ["kind"] = "PatchOptions" });
        }

        if (call.Subresource is null && store.Get(call.Type, call.Namespace, call.Name!) is null)
        {
            wanted.Metadata()["name"] = call.Name;
            return ApiResponse.Created(CreateObject(call, wanted));
        }

        return ApiResponse.Ok(Merge(call, wanted, strategic: true));
    }

    private JsonObject Change(ApiCall call, string? expected, Func<JsonObject, JsonObject> change)
    {
        JsonObject Admit(JsonObject current)
        {
            // The patch may work on its argument, so admission compares with what is stored.
            var stored = Current(call);
            var wanted = change(current);
            ObjectStore.Identify(call.Type, wanted);
            Schema.Prune(call.Type, wanted, IsStrict(call));
            return admission.Update(call.Type, stored, wanted, call.Subresource == "status");
        }

        if (!call.DryRun)
        {
            return store.Update(call.Type, call.Namespace, call.Name!, Admit, expected);
        }

        var before = Current(call);
        if (!string.IsNullOrEmpty(expected) && before.At("metadata").Text("resourceVersion") != expected)
        {
            throw ApiError.Modified(call.Type, call.Name!);
        }

        return Admit(before.Clone());
    }

    private ApiResponse Delete(ApiCall call, DeleteOptions options)
    {
        if (call.DryRun)
        {
            return ApiResponse.Ok(Current(call));
        }

        if (call.Type == ResourceType.Namespaces)
        {
            DeleteContents(call.Name!);
        }

        var (obj, removed) = store.Delete(call.Type, call.Namespace, call.Name!, options);

        // Only these kinds answer with the object itself; the others with a Status.
        var echo = call.Type == ResourceType.Pods || call.Type == ResourceType.Services || call.Type == ResourceType.ServiceAccounts;
        if (echo || !removed)
        {
            return ApiResponse.Ok(obj);
        }

        var details = new JsonObject { ["name"] = call.Name };
        if (call.Type.Group.Length > 0)
        {
            details["group"] = call.Type.Group;
        }

        details["kind"] = call.Type.Plural;
        details["uid"] = obj.Uid();
        return ApiResponse.Ok(ApiResponse.Success(details));
    }

    private ApiResponse DeleteCollection(ApiCall call, DeleteOptions options)
    {
        var selector = Selector.Parse(call);
        var (items, version) = store.ListStored(call.Type, call.Namespace);
        items.RemoveAll(s => !selector.Matches(s.Object));
        foreach (var stored in call.DryRun ? [] : items)
        {
            try
            {
                store.Delete(call.Type, stored.Key.Namespace, stored.Key.Name, options);
            }
            catch (ApiError error) when (error.Code == 404)
            {
                // It went with its owner, earlier in this loop.
            }
        }

        return new(200, ListPager.Write(call.Type, items, version));
    }

    private void DeleteContents(string ns)
    {
        foreach (var type in ResourceType.All.Where(t => t.Namespaced))
        {
            foreach (var stored in store.ListStored(type, ns).Items)
            {
                if (store.Get(type, ns, stored.Key.Name) is not null)
                {
                    store.Delete(type, ns, stored.Key.Name);
                }
            }
        }
    }

    private JsonObject Current(ApiCall call) =>
        store.Get(call.Type, call.Namespace, call.Name!) ?? throw ApiError.NotFound(call.Type, call.Name!);

    private void EnsureNamespace(ApiCall call)
    {
        if (!options.CreateNamespaces)
        {
            if (call.Verb == "create" && call.Subresource is null && call.Namespace is { } wanted && store.Get(ResourceType.Namespaces, null, wanted) is null)
            {
                throw ApiError.NotFound(ResourceType.Namespaces, wanted);
            }

            return;
        }

        var name = call.Namespace ?? (call.Type == ResourceType.Namespaces && call.Verb == "get" ? call.Name : null);
        if (name is not null && call.Verb is "create" or "patch" or "get")
        {
            EnsureNamespace(name!);
        }
    }

    public void EnsureNamespace(string name)
    {
        if (store.Get(ResourceType.Namespaces, null, name) is not null)
        {
            return;
        }

        CreateOrIgnore(ResourceType.Namespaces, new JsonObject
        {
            ["metadata"] = new JsonObject
            {
                ["name"] = name,
                ["labels"] = new JsonObject { ["kubernetes.io/metadata.name"] = name },
            },
            ["spec"] = new JsonObject { ["finalizers"] = new JsonArray("kubernetes") },
            ["status"] = new JsonObject { ["phase"] = "Active" },
        });
        CreateOrIgnore(ResourceType.ServiceAccounts, new JsonObject
        {
            ["metadata"] = new JsonObject { ["name"] = "default", ["namespace"] = name },
        });
    }

    private void CreateOrIgnore(ResourceType type, JsonObject obj)
    {
        try
        {
            store.Create(type, obj);
        }
        catch (ApiError error) when (error.Code == 409)
        {
            // Two requests named it first.
        }
    }

    private static DeleteOptions Options(ApiCall call, byte[] body)
    {
        var options = body.Length == 0 ? [] : RequestBody.Parse(body, yaml: false) as JsonObject;
        var grace = options.Number("gracePeriodSeconds");
        if (call.Query["gracePeriodSeconds"].LastOrDefault() is { Length: > 0 } text)
        {
            grace = long.TryParse(text, out var seconds) ? seconds : throw ApiError.BadRequest($"strconv.ParseInt: parsing \"{text}\": invalid syntax");
        }

        var policy = call.Query["propagationPolicy"].LastOrDefault() ?? options.Text("propagationPolicy");
        var preconditions = options.At("preconditions");
        return new(grace, preconditions.Text("uid"), preconditions.Text("resourceVersion"), policy == "Orphan");
    }

    private static bool IsStrict(ApiCall call) => call.Query["fieldValidation"].LastOrDefault() == "Strict";

    private static JsonObject ObjectOf(byte[] body, bool yaml) =>
        RequestBody.Parse(body, yaml) as JsonObject ?? throw ApiError.BadRequest("the patch is not an object");

    public static ApiError NoSubresource() =>
        ApiError.Of(404, "NotFound", "the server could not find the requested resource", []);

    private static ApiError DryRunInvalid(string value) => ApiError.Of(422, "Invalid",
        $"CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: [\"{value}\"]: supported values: \"All\"",
        new JsonObject
        {
            ["group"] = "meta.k8s.io",
            ["kind"] = "CreateOptions",
            ["causes"] = new JsonArray(new JsonObject
            {
                ["reason"] = "FieldValueNotSupported",
                ["message"] = $"Unsupported value: [\"{value}\"]: supported values: \"All\"",
                ["field"] = "dryRun",
            }),
        });
}
