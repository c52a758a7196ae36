//! The requests that Casemate serves: discovery, the list of tools, calls, and news of changes.

use crate::answer;
use crate::guard::{Guard, correlation_id};
use crate::listing::{Changes, Listing};
use crate::serve::ServeOptions;
use crate::text::shown;
use casemate_policy::Reason;
use casemate_runtime::{Catalog, chain};
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CompleteRequestMethod,
    CompleteRequestParams, CompleteResult, CustomRequest, CustomResult, ErrorCode, ErrorData,
    Implementation, InitializeRequestParams, InitializeResult, ListPromptsRequestMethod,
    ListPromptsResult, ListResourceTemplatesRequestMethod, ListResourceTemplatesResult,
    ListResourcesRequestMethod, ListResourcesResult, ListToolsResult, MetaObject,
    PaginatedRequestParams, ProtocolVersion, ServerCapabilities, ServerConfig, SubscriptionFilter,
    Tool,
};
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::{Peer, RoleServer, ServerHandler};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::mem;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// How long a client may take a list as fresh: a change on the command line is served within a
/// second.
const LIST_TTL_MS: u64 = 1_000;
/// Characters of a client's word that are repeated to it.
const MAX_ECHO: usize = 128;
/// Key under which each result of the modern protocol names its server.
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// What ends the work of a handler.
#[derive(Clone, Default)]
pub(crate) struct Ending {
    /// No further message is read.
    pub(crate) input: CancellationToken,
    /// Calls in progress are to stop.
    pub(crate) calls: CancellationToken,
}

/// What all conversations of a server share.
struct Shared {
    catalogs: watch::Receiver<Arc<Catalog>>,
    listing: Arc<Listing>,
    config: ServerConfig,
    server_info: Value,
    guard: Guard,
    ending: Ending,
}

/// How far a client of an older protocol has come.
#[derive(Default)]
enum Handshake {
    /// None was begun; modern clients stay here.
    #[default]
    None,
    /// It was greeted. What changes from here on is news to it.
    Greeted(Changes),
    /// It has initialized and is told of changes, until this is dropped.
    Done(#[expect(dead_code, reason = "held for its drop")] AbortOnDropHandle<()>),
}

/// Subscriptions of one conversation between their acknowledgement and their first wait.
const MAX_ACCEPTED: usize = 64;

/// Answers the requests of one conversation.
pub(crate) struct Handler {
    shared: Arc<Shared>,
    handshake: Mutex<Handshake>,
    /// What subscriptions will tell that were accepted and do not listen yet, the oldest first.
    accepted: Mutex<VecDeque<Changes>>,
}

impl Handler {
    pub(crate) fn new(
        catalogs: watch::Receiver<Arc<Catalog>>,
        options: ServeOptions,
        ending: Ending,
    ) -> Self {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .build();
        let server = Implementation::new("casemate", options.version);
        let server_info = json!({ "name": server.name, "version": server.version });
        let mut config = ServerConfig::new(capabilities).with_server_info(server);
        config.instructions = options.instructions;
        Self::of(Arc::new(Shared {
            catalogs,
            listing: Arc::new(Listing::new(options.tools)),
            config,
            server_info,
            guard: Guard::default(),
            ending,
        }))
    }

    fn of(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            handshake: Mutex::default(),
            accepted: Mutex::default(),
        }
    }

    /// For another conversation with the same server.
    pub(crate) fn another(&self) -> Self {
        Self::of(Arc::clone(&self.shared))
    }

    /// News of the list from now on.
    fn changes(&self) -> Changes {
        let shared = &self.shared;
        Changes::from_now(shared.catalogs.clone(), Arc::clone(&shared.listing))
    }

    fn tools(&self) -> Arc<Vec<Tool>> {
        let catalog = Arc::clone(&self.shared.catalogs.borrow());
        self.shared.listing.tools(&catalog)
    }

    fn handshake(&self) -> MutexGuard<'_, Handshake> {
        self.handshake
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Names the server in a result, as the modern protocol asks for.
    fn sign(&self, meta: &mut Option<MetaObject>) {
        meta.get_or_insert_default()
            .insert(SERVER_INFO.to_owned(), self.shared.server_info.clone());
    }

    /// The client in its own words, for the audit log.
    fn caller(&self, context: &RequestContext<RoleServer>) -> String {
        let client = match &*self.handshake() {
            // Over HTTP rmcp makes a client up where the request names none.
            Handshake::None => context.meta.client_info(),
            Handshake::Greeted(_) | Handshake::Done(_) => context.client_info(),
        };
        match client {
            Some(client) => format!("{} {}", client.name, client.version),
            None => "unknown".to_owned(),
        }
    }

    fn listed(
        &self,
        request: Option<PaginatedRequestParams>,
        context: &RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        if request.is_some_and(|request| request.cursor.is_some()) {
            return Err(ErrorData::invalid_params(
                "Invalid cursor: the list has one page",
                None,
            ));
        }
        let mut result = ListToolsResult::with_all_items(self.tools().to_vec());
        if is_modern(context) {
            result = result
                .with_ttl_ms(LIST_TTL_MS)
                .with_cache_scope(CacheScope::Private);
            self.sign(&mut result.meta);
        }
        Ok(result)
    }

    async fn called(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let tool = self.shared.catalogs.borrow().tool(&request.name).cloned();
        let served = tool.filter(|tool| self.shared.listing.serves(tool.spec()));
        let Some(tool) = served else {
            let name = shown(&request.name, MAX_ECHO);
            return Err(ErrorData::invalid_params(
                format!("Unknown tool: {name}"),
                None,
            ));
        };
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        let mut result = match tool.parse_args(arguments) {
            Err(error) => answer::failure(Reason::InvalidArguments, &error.to_string(), None),
            Ok(arguments) => {
                let cancel = context.ct.child_token();
                let caller = self.caller(&context);
                let mut call = pin!(tool.call(&caller, arguments, cancel.clone()));
                let report = tokio::select! {
                    biased;
                    report = &mut call => report,
                    () = self.shared.ending.calls.cancelled() => {
                        cancel.cancel();
                        call.await
                    }
                };
                match report {
                    Ok(report) => answer::of(report),
                    Err(error) => {
                        let id = correlation_id();
                        tracing::error!(id, error = chain(&error), "a call could not be started");
                        let message = format!("the call could not be started, logged under {id}");
                        answer::failure(Reason::Internal, &message, None)
                    }
                }
            }
        };
        if is_modern(&context) {
            self.sign(&mut result.meta);
        }
        Ok(result.into())
    }

    fn accepted(&self) -> MutexGuard<'_, VecDeque<Changes>> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn listened(&self, subscription: SubscriptionContext) -> Result<(), ErrorData> {
        let accepted = self.accepted().pop_front();
        let mut changes = accepted.unwrap_or_else(|| self.changes());
        loop {
            tokio::select! {
                () = subscription.cancelled() => return Ok(()),
                () = self.shared.ending.input.cancelled() => return Ok(()),
                () = changes.next() => {}
            }
            if let Err(error) = subscription.sink().notify_tool_list_changed().await {
                tracing::debug!(%error, "a subscriber cannot be told of a change");
                return Ok(());
            }
        }
    }
}

fn is_modern(context: &RequestContext<RoleServer>) -> bool {
    context
        .protocol_version()
        .is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
}

/// Tells the client of an older handshake when the list changes; modern ones subscribe.
async fn tell(mut changes: Changes, peer: Peer<RoleServer>) {
    loop {
        changes.next().await;
        if let Err(error) = peer.notify_tool_list_changed().await {
            tracing::debug!(%error, "the client cannot be told of a change");
            return;
        }
    }
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        self.shared.config.clone()
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        let greeted = Handshake::Greeted(self.changes());
        {
            let mut handshake = self.handshake();
            // A second one would change the era of a conversation in its midst.
            if !matches!(*handshake, Handshake::None) {
                return Err(ErrorData::invalid_request("already initialized", None));
            }
            *handshake = greeted;
        }
        context.peer.set_peer_info(request.clone());
        self.negotiate_initialize(&request)
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        let mut handshake = self.handshake();
        *handshake = match mem::take(&mut *handshake) {
            Handshake::Greeted(changes) => {
                let told = tokio::spawn(tell(changes, context.peer));
                Handshake::Done(AbortOnDropHandle::new(told))
            }
            // Sent more than once, the first counts; without a handshake it means nothing.
            other @ (Handshake::None | Handshake::Done(_)) => other,
        };
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let listed = async { self.listed(request, &context) };
        self.shared.guard.run(listed).await
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let tools = self.tools();
        tools.iter().find(|tool| tool.name == name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.shared.guard.run(self.called(request, context)).await
    }

    fn accepted_subscription_filter(
        &self,
        _requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        // What changes after the acknowledgement is news, also before `listen` is reached. Which
        // subscription takes which is all the same: one that is older only tells more.
        let changes = self.changes();
        let mut accepted = self.accepted();
        if accepted.len() >= MAX_ACCEPTED {
            accepted.pop_front();
        }
        accepted.push_back(changes);
        drop(accepted);
        Some(SubscriptionFilter::builder().tools_list_changed().build())
    }

    async fn listen(&self, subscription: SubscriptionContext) -> Result<(), ErrorData> {
        self.shared.guard.run(self.listened(subscription)).await
    }

    async fn complete(
        &self,
        _request: CompleteRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        Err(ErrorData::method_not_found::<CompleteRequestMethod>())
    }

    async fn list_prompts(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Err(ErrorData::method_not_found::<ListPromptsRequestMethod>())
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Err(ErrorData::method_not_found::<ListResourcesRequestMethod>())
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Err(ErrorData::method_not_found::<
            ListResourceTemplatesRequestMethod,
        >())
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let method = shown(&request.method, MAX_ECHO);
        // A method that is served comes here only when its parameters do not fit.
        Err(if is_served(&request.method, is_modern(&context)) {
            ErrorData::invalid_params(format!("Invalid params of {method}"), None)
        } else {
            ErrorData::new(
                ErrorCode::METHOD_NOT_FOUND,
                format!("Unknown method: {method}"),
                None,
            )
        })
    }
}

/// Methods whose parameters can be wrong; of others the method is.
pub(crate) fn is_served(method: &str, modern: bool) -> bool {
    match method {
        "initialize" | "ping" => !modern,
        "server/discover" | "tools/list" | "tools/call" | "subscriptions/listen" => true,
        _ => false,
    }
}
